/* agent/check/range.c: thresholds, read strictly: what is not understood must not turn into a check that is always content. */
#include "check/range.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
digits(const char **p)
{
	const char *start = *p;

	while (**p >= '0' && **p <= '9')
		(*p)++;
	return *p > start;
}

/* -12.5 at *p, which is moved behind it. Only what was looked at here is given to strtod(), which would take "inf", "0x1" and the
 * comma of a locale. */
static bool
number(const char **p, double *out)
{
	const char *start = *p;

	if (**p == '-')
		(*p)++;
	if (!digits(p))
		return false;
	if (**p == '.') {
		(*p)++;
		if (!digits(p))
			return false;
	}
	*out = strtod(start, NULL);
	return true;
}

int
range_parse(const char *text, struct range *out)
{
	struct range r = { .set = true, .end = INFINITY };
	const char *p = text, *colon = strchr(text, ':');
	size_t n = strlen(text);

	if (n == 0 || n >= sizeof r.text)
		return -EINVAL;
	memcpy(r.text, text, n + 1);
	if (*p == '@') {
		r.inside = true;
		p++;
	}
	if (colon != NULL) {
		if (*p == '~') {
			r.start = -INFINITY;
			p++;
		} else if (!number(&p, &r.start)) {
			return -EINVAL;
		}
		if (p != colon)
			return -EINVAL;
		p++;
	}
	if ((colon == NULL || *p != '\0') && !number(&p, &r.end))
		return -EINVAL;
	if (*p != '\0')
		return -EINVAL;
	if (r.start > r.end)
		return -ERANGE;
	*out = r;
	return 0;
}

struct range
range_above(unsigned n)
{
	struct range r = { .set = true, .end = n };

	snprintf(r.text, sizeof r.text, "%u", n);
	return r;
}

bool
range_alerts(const struct range *r, double value)
{
	return r->set && (value >= r->start && value <= r->end) == r->inside;
}
