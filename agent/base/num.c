/* agent/base/num.c: numbers and durations from text, strictly. */
#include "base/num.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct unit {
	const char *name, *words;
	uint64_t ms;
} units[] = { { "d", "d", 86400000 }, { "h", "h", 3600000 }, { "m", "min", 60000 }, { "s", "s", 1000 }, { "ms", "ms", 1 } };

static int
digits(const char **p, uint64_t *out)
{
	uint64_t v = 0;

	if (**p < '0' || **p > '9')
		return -EINVAL;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t d = (uint64_t)(**p - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

int
num_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;
	int rc = digits(&text, &v);

	if (rc < 0)
		return rc;
	if (*text != '\0')
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int
duration_parse(const char *text, uint64_t *ms)
{
	uint64_t v;
	int rc = digits(&text, &v);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < nitems(units); i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		if (v > UINT64_MAX / units[i].ms)
			return -ERANGE;
		*ms = v * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

const char *
duration_text(uint64_t ms, char out[static 24])
{
	for (size_t i = 0; i < nitems(units); i++) {
		if (ms % units[i].ms == 0 && (ms >= units[i].ms || units[i].ms == 1000)) {
			snprintf(out, 24, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
			return out;
		}
	}
	return out;
}

const char *
duration_words(uint64_t ms, char out[static 24])
{
	for (size_t i = 0; i < nitems(units); i++) {
		uint64_t n = ms / units[i].ms, rest;

		if (n == 0 && i + 1 < nitems(units))
			continue;
		rest = i + 1 < nitems(units) - 1 ? ms % units[i].ms / units[i + 1].ms : 0;
		if (rest != 0 && n < 10)
			snprintf(out, 24, "%u %s %u %s", (unsigned)n % 10, units[i].words, (unsigned)rest % 100,
			    units[i + 1].words);
		else
			snprintf(out, 24, "%" PRIu64 " %s", n, units[i].words);
		break;
	}
	return out;
}

bool
str_eq(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

uint64_t
hash_bytes(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 1099511628211u;
	return h;
}

int
array_grow(void **array, size_t count, size_t *cap, size_t size)
{
	size_t want;
	void *p;

	assert(size > 0 && count <= *cap && (*array != NULL || *cap == 0));
	if (count < *cap)
		return 0;
	want = *cap < 8 ? 8 : *cap * 2;
	if (want > SIZE_MAX / size || (p = realloc(*array, want * size)) == NULL)
		return -ENOMEM;
	*array = p;
	*cap = want;
	return 0;
}
