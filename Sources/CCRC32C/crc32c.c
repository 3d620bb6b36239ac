#include "CCRC32C.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#define CRC_TARGET __attribute__((target("+crc")))
#define CRC_STEP64(crc, value) __crc32cd((crc), (value))
#define CRC_STEP32(crc, value) __crc32cw((crc), (value))
#define CRC_STEP8(crc, value) __crc32cb((crc), (value))
#define HAVE_CRC_INSTRUCTIONS 1
#elif defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC_STEP64(crc, value) ((uint32_t)_mm_crc32_u64((crc), (value)))
#define CRC_STEP32(crc, value) _mm_crc32_u32((crc), (value))
#define CRC_STEP8(crc, value) _mm_crc32_u8((crc), (value))
#define HAVE_CRC_INSTRUCTIONS 1
#endif

#define POLYNOMIAL 0x82F63B78u

/* Slicing by eight: slices[k][b] is the effect of byte b followed by k zero bytes. */
static uint32_t slices[8][256];

/* The effect of a lane's length of zero bytes on a state, one table per byte of the state: joins three lanes. */
#define LONG_LANE 256
#define SHORT_LANE 64
static uint32_t shift_long[4][256];
static uint32_t shift_short[4][256];

/* A WAL record's header, and what of it the checksum covers, after the rest of the record (xlogrecord.h). */
#define HEADER 24
#define COVERED 20

static uint32_t record_portable(const void *record, size_t length);

static uint32_t (*chosen)(uint32_t, const void *, size_t) = pgarchive_crc32c_update_portable;
static uint32_t (*chosen_record)(const void *, size_t) = record_portable;

uint32_t pgarchive_crc32c_update_portable(uint32_t state, const void *bytes, size_t count)
{
    const unsigned char *next = bytes;

    while (count >= 8) {
        uint32_t low = state ^ ((uint32_t)next[0] | (uint32_t)next[1] << 8 | (uint32_t)next[2] << 16 |
                                (uint32_t)next[3] << 24);

        state = slices[7][low & 0xFF] ^ slices[6][low >> 8 & 0xFF] ^ slices[5][low >> 16 & 0xFF] ^
                slices[4][low >> 24] ^ slices[3][next[4]] ^ slices[2][next[5]] ^ slices[1][next[6]] ^
                slices[0][next[7]];
        next += 8;
        count -= 8;
    }
    while (count-- > 0)
        state = state >> 8 ^ slices[0][(state ^ *next++) & 0xFF];
    return state;
}

static uint32_t record_portable(const void *record, size_t length)
{
    uint32_t state = pgarchive_crc32c_update_portable(0xFFFFFFFFu, (const char *)record + HEADER, length - HEADER);

    return ~pgarchive_crc32c_update_portable(state, record, COVERED);
}

#ifdef HAVE_CRC_INSTRUCTIONS

static inline uint32_t load32(const unsigned char *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t load64(const unsigned char *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t shifted(uint32_t state, uint32_t shift[4][256])
{
    return shift[0][state & 0xFF] ^ shift[1][state >> 8 & 0xFF] ^ shift[2][state >> 16 & 0xFF] ^ shift[3][state >> 24];
}

/*
 * The instruction has a latency of three cycles and can be started each cycle: three independent lanes keep it busy.
 */
CRC_TARGET static inline __attribute__((always_inline)) uint32_t
update_in_lanes(uint32_t state, const unsigned char *next, size_t lane, uint32_t shift[4][256])
{
    uint32_t first = state, second = 0, third = 0;

    for (size_t at = 0; at < lane; at += 8) {
        first = CRC_STEP64(first, load64(next + at));
        second = CRC_STEP64(second, load64(next + lane + at));
        third = CRC_STEP64(third, load64(next + 2 * lane + at));
    }
    return shifted(shifted(first, shift) ^ second, shift) ^ third;
}

CRC_TARGET static inline __attribute__((always_inline)) uint32_t
update_inline(uint32_t state, const void *bytes, size_t count)
{
    const unsigned char *next = bytes;

    while (count >= 3 * LONG_LANE) {
        state = update_in_lanes(state, next, LONG_LANE, shift_long);
        next += 3 * LONG_LANE;
        count -= 3 * LONG_LANE;
    }
    while (count >= 3 * SHORT_LANE) {
        state = update_in_lanes(state, next, SHORT_LANE, shift_short);
        next += 3 * SHORT_LANE;
        count -= 3 * SHORT_LANE;
    }
    while (count >= 8) {
        state = CRC_STEP64(state, load64(next));
        next += 8;
        count -= 8;
    }
    if (count >= 4) {
        state = CRC_STEP32(state, load32(next));
        next += 4;
        count -= 4;
    }
    while (count-- > 0)
        state = CRC_STEP8(state, *next++);
    return state;
}

CRC_TARGET static uint32_t update_by_instruction(uint32_t state, const void *bytes, size_t count)
{
    return update_inline(state, bytes, count);
}

CRC_TARGET static uint32_t record_by_instruction(const void *record, size_t length)
{
    const unsigned char *header = record;
    uint32_t state = update_inline(0xFFFFFFFFu, header + HEADER, length - HEADER);

    state = CRC_STEP64(state, load64(header));
    state = CRC_STEP64(state, load64(header + 8));
    return ~CRC_STEP32(state, load32(header + 16));
}

/* The CRC is linear: the shift of any state is that of its bits, combined. */
static void prepare_shift(uint32_t shift[4][256], size_t lane)
{
    static const unsigned char zeros[LONG_LANE];
    uint32_t of_bit[32];

    for (int bit = 0; bit < 32; bit++)
        of_bit[bit] = pgarchive_crc32c_update_portable((uint32_t)1 << bit, zeros, lane);
    for (int place = 0; place < 4; place++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t state = 0;

            for (int bit = 0; bit < 8; bit++)
                if (byte >> bit & 1)
                    state ^= of_bit[8 * place + bit];
            shift[place][byte] = state;
        }
}

static int have_instructions(void)
{
#if defined(__aarch64__)
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
    return __builtin_cpu_supports("sse4.2");
#endif
}

#endif

/* Before main, hence before any thread: a few microseconds. */
__attribute__((constructor)) static void prepare(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;

        for (int bit = 0; bit < 8; bit++)
            state = state >> 1 ^ (POLYNOMIAL & (0u - (state & 1u)));
        slices[0][byte] = state;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            slices[slice][byte] = slices[slice - 1][byte] >> 8 ^ slices[0][slices[slice - 1][byte] & 0xFF];

#ifdef HAVE_CRC_INSTRUCTIONS
    prepare_shift(shift_long, LONG_LANE);
    prepare_shift(shift_short, SHORT_LANE);
    if (have_instructions()) {
        chosen = update_by_instruction;
        chosen_record = record_by_instruction;
    }
#endif
}

uint32_t pgarchive_crc32c_update(uint32_t state, const void *bytes, size_t count)
{
    return chosen(state, bytes, count);
}

uint32_t pgarchive_crc32c_record(const void *record, size_t length)
{
    return length < HEADER ? 0 : chosen_record(record, length);
}
