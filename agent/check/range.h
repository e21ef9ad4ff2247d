/* agent/check/range.h: a threshold of a monitoring plug-in, in the syntax of the Monitoring Plugins' guidelines:
 * [@][START:]END or [@]START:. Without START it begins at 0, ~ has no lower bound; without END there is no upper one. */
#ifndef CAMTRAPD_CHECK_RANGE_H
#define CAMTRAPD_CHECK_RANGE_H
#include <stdbool.h>

#define RANGE_TEXT 40			/* octets, NUL included; longer ones are no ranges */

struct range {
	bool	set;			/* false: there is no threshold, and nothing alerts */
	bool	inside;			/* @: what lies within alerts, not what lies outside */
	double	start, end;		/* both belong to it; -INFINITY, INFINITY */
	char	text[RANGE_TEXT];	/* as it was said: it stands in the performance data */
};

/* Decimal numbers only, a sign and a fraction if one likes. 0; -EINVAL: no range; -ERANGE: it ends before it starts.
 * *out is touched only on success. */
int	range_parse(const char *text, struct range *out);
/* Alerts above `n`. */
struct range range_above(unsigned n);
bool	range_alerts(const struct range *r, double value);
#endif
