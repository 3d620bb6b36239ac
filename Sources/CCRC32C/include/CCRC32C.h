#ifndef PGARCHIVE_CCRC32C_H
#define PGARCHIVE_CCRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, reflected 0x82F63B78), as PostgreSQL's pg_crc32c.
 * The state is the raw register: begin with 0xFFFFFFFF, invert at the end. */
uint32_t pgarchive_crc32c_update(uint32_t state, const void *bytes, size_t count);

/* The same without special instructions; for machines that have none, and for tests. */
uint32_t pgarchive_crc32c_update_portable(uint32_t state, const void *bytes, size_t count);

/* The checksum that a whole WAL record of this length, at least its header's 24 bytes, has to have: over what follows
 * the header, then the header without the checksum itself. */
uint32_t pgarchive_crc32c_record(const void *record, size_t length);

#endif
