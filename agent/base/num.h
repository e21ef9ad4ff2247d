/* agent/base/num.h: strict number parsing, and small helpers every file wants. */
#ifndef CAMTRAPD_NUM_H
#define CAMTRAPD_NUM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* Decimal digits only: no sign, no blank, no trailing text. 0: stored. -EINVAL: not a number. -ERANGE: outside min..max. */
int	num_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);
/* "300s", "5m", "12h", "30d", "250ms" (number and unit, no blank) into milliseconds. -EINVAL, -ERANGE as above. */
int	duration_parse(const char *text, uint64_t *ms);
/* The shortest text that parses back to the same duration: "5m", not "300s". `out` is returned. */
const char *duration_text(uint64_t ms, char out[static 24]);
/* "12 s", "3 min", "5 h 20 min", "9 d": for people. `out` is returned. */
const char *duration_words(uint64_t ms, char out[static 24]);

/* Both NULL, or the same text. */
bool	str_eq(const char *a, const char *b);
/* FNV-1a, 64 bits: stable over restarts and machines. */
uint64_t hash_bytes(const void *p, size_t n);
/* Makes room for one more element of `size` octets in *array, doubling it. 0, or -ENOMEM with the array untouched. */
int	array_grow(void **array, size_t count, size_t *cap, size_t size);
#endif
