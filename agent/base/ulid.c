/* agent/base/ulid.c: the text of an event id. */
#include "base/ulid.h"

void
ulid_text(struct wall at, const uint8_t random[static 10], char out[static ULID_TEXT])
{
	static const char digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t ms = (uint64_t)(at.us / 1000);

	for (int i = 9; i >= 0; i--, ms >>= 5)
		out[i] = digit[ms & 31];
	for (int i = 0; i < 16; i++) {
		int bit = i * 5, octet = bit / 8;
		unsigned pair = (unsigned)random[octet] << 8 | (octet < 9 ? random[octet + 1] : 0);

		out[10 + i] = digit[pair >> (11 - bit % 8) & 31];
	}
	out[26] = '\0';
}
