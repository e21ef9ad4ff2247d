/* tests/sim/number.h: numbers of commands and options. */
#ifndef CAMPUS_NUMBER_H
#define CAMPUS_NUMBER_H
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* false: not a decimal number, or not within the bounds; *out is as before. */
static inline bool
number_read(const char *text, long min, long max, int *out)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || v < min || v > max)
		return false;
	*out = (int)v;
	return true;
}
#endif
