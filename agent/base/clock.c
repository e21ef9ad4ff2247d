/* agent/base/clock.c: the only file that asks the system for the time. */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "build_date.h"

struct mono
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct mono){ (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 };
}

struct wall
wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct wall){ (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };
}

bool
wall_is_set(struct wall t)
{
	return t.us / 1000000 >= BUILD_DATE_S;
}

struct mono
mono_add(struct mono t, int64_t ms)
{
	return (struct mono){ t.ms + ms };
}

int64_t
mono_since(struct mono from, struct mono to)
{
	return to.ms - from.ms;
}

const char *
wall_text(struct wall t, char out[static WALL_TEXT])
{
	int64_t ms = t.us / 1000 - (t.us % 1000 < 0);	/* down, also before 1970 */
	time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;
	char date[24];

	if (t.us == 0 || gmtime_r(&s, &tm) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		memcpy(out, "never", 6);
		return out;
	}
	snprintf(out, WALL_TEXT, "%s.%03uZ", date, (unsigned)(ms - (int64_t)s * 1000) % 1000);
	return out;
}

int
wall_parse(const char *text, struct wall *out)
{
	struct tm tm = { 0 }, day;
	const char *p = strptime(text, "%Y-%m-%d", &tm);
	int64_t us = 0;
	time_t s;

	if (p == NULL)
		return -EINVAL;
	day = tm;
	if (*p == 'T' || *p == ' ') {
		if ((p = strptime(p + 1, "%H:%M:%S", &tm)) == NULL)
			return -EINVAL;
		if (*p == '.') {
			int64_t unit = 100000;

			if (p[1] < '0' || p[1] > '9')
				return -EINVAL;
			for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
				us += (*p - '0') * unit;
		}
		if (*p == 'Z')
			p++;
	}
	if (*p != '\0')
		return -EINVAL;
	s = timegm(&tm);
	if (tm.tm_mday != day.tm_mday || tm.tm_mon != day.tm_mon)	/* 31 February, which timegm() takes for 3 March */
		return -EINVAL;
	out->us = (int64_t)s * 1000000 + us;
	return 0;
}
