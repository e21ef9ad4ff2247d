/* agent/base/ulid.h: event ids that sort by time: 48 bits of milliseconds, 80 random bits, Crockford base 32 (the ULID specification). */
#ifndef CAMTRAPD_ULID_H
#define CAMTRAPD_ULID_H
#include <stdint.h>

#include "base/clock.h"

#define ULID_TEXT 27			/* 26 characters and the NUL */

/* `random` is 10 octets from the caller (getrandom in production, fixed in tests). */
void	ulid_text(struct wall at, const uint8_t random[static 10], char out[static ULID_TEXT]);
#endif
