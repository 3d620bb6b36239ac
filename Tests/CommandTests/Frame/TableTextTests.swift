import Testing

@testable import pgarchive

struct TableTextTests {
    private func table(_ palette: Palette) -> String {
        var table = TableText([("NAME", .left), ("SIZE", .right), ("STATE", .left)], whenEmpty: "nothing")
        table.add(["a", "1 B", .init("held", .bad)])
        table.add(["somewhat longer", "12 kB", ""])
        return table.text(palette)
    }

    @Test func columnsAlignAndLinesHaveNoBlanksAtTheirEnd() {
        #expect(
            table(Palette(isOn: false)) == """
                NAME              SIZE  STATE
                a                  1 B  held
                somewhat longer  12 kB

                """
        )
    }

    @Test func coloursDoNotShiftColumns() {
        let coloured = table(Palette(isOn: true))
        #expect(coloured.contains("\u{1B}[31mheld\u{1B}[0m"))
        let plain = coloured.replacing("\u{1B}[31m", with: "").replacing("\u{1B}[1m", with: "")
            .replacing("\u{1B}[0m", with: "")
        #expect(plain == table(Palette(isOn: false)))
    }

    @Test func noRowsSaySo() {
        #expect(TableText([("NAME", .left)], whenEmpty: "no clones").text(Palette(isOn: false)) == "no clones\n")
    }

    @Test func aCellIsOneLine() {
        var table = TableText([("A", .left)], whenEmpty: "")
        table.add([.init("x\ny\tz")])
        #expect(table.text(Palette(isOn: false)) == "A\nx y z\n")
    }
}
