import ArchiveModel
import Testing

@Suite("Names, patterns, sizes")
struct NameTests {
    @Test(arguments: ["a", "prod", "2026.11-x_y", String(repeating: "a", count: 48)])
    func allowed(_ name: String) {
        #expect(Name.fault(name) == nil)
    }

    @Test(arguments: [
        "", "A", "-a", ".a", "_a", "a/b", "..", "a b", "a\n", "ä", "a\u{0}", String(repeating: "a", count: 49), "a;b",
        "a*",
    ])
    func refused(_ name: String) {
        #expect(Name.fault(name) != nil)
        #expect(throws: ArchiveError.self) { try Name.check(name, what: "clone") }
    }

    @Test func aContainerIsNotNamedAsThePlaceOfThePools() throws {
        #expect(throws: ArchiveError.self) { try Name.checkContainer("pools") }
        try Name.checkContainer("pool")
    }

    @Test(arguments: [
        ("*", "", true), ("*", "abc", true), ("a*c", "abc", true), ("a*c", "abcd", false), ("a?c", "abc", true),
        ("[ab]x", "bx", true), ("[!ab]x", "bx", false), ("[a-c]*", "b-1", true),
        ("20261121-*", "20261121-082350", true),
        ("**a", "bca", true), ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false), ("[", "[", true),
        ("[a", "[a", true),
    ])
    func globs(_ pattern: String, _ name: String, _ fits: Bool) {
        #expect(Glob.matches(pattern, name) == fits)
    }

    @Test("a pattern of many stars is no trap for time")
    func manyStars() {
        #expect(!Glob.matches(String(repeating: "a*", count: 30) + "b", String(repeating: "a", count: 200)))
    }

    @Test(arguments: [
        ("20G", UInt64(20) << 30), ("256MB", 256 << 20), ("1 GiB", 1 << 30), ("512", 512), ("10k", 10240),
        ("1TB", 1 << 40),
    ])
    func sizes(_ text: String, _ bytes: UInt64) {
        #expect(ByteSize.parse(text) == bytes)
        #expect(ByteSize.parse(ByteSize.exact(bytes)) == bytes)
    }

    @Test(arguments: ["", "G", "-1G", "1X", "99999999999999999999", "20000000T", "1.5G"])
    func badSizes(_ text: String) {
        #expect(ByteSize.parse(text) == nil)
    }

    @Test func suggestions() {
        #expect(Spelling.nearest(to: "keep.expiredate", among: ["keep.expire_date", "slot"]) == "keep.expire_date")
        #expect(Spelling.nearest(to: "zzzzzz", among: ["slot", "upstream"]) == nil)
    }
}
