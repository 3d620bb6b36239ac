#pragma once

#include <inttypes.h>
#include <stdio.h>

// Hidden, so that libpq's own calls of them stay within libpq.
#pragma GCC visibility push(hidden)
#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif
#pragma GCC visibility pop

/// Loads libpq, once; before any other function of it is called.
///
/// Returns NULL, or why that is not possible, in words that stay valid.
const char *pgarchive_load_libpq(void);
