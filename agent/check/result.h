/* agent/check/result.h: what a check says to Nagios or Icinga: a first line with the state and performance data, then a few lines
 * of details. Whatever text comes in, only harmless characters go out: a result holds texts of devices (D1), and names of
 * performance data are texts of ours alone (D2). */
#ifndef CAMTRAPD_CHECK_RESULT_H
#define CAMTRAPD_CHECK_RESULT_H
#include <stdio.h>

#include "base/buf.h"
#include "check/range.h"

#define RESULT_FIRST_MAX 190		/* octets of the first line up to its performance data */
#define RESULT_LINE_MAX 160		/* of a line of details */
#define RESULT_LINES_MAX 20		/* of them; how many there would have been more is said */

enum check_state { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };	/* exit codes */

/* Zero it to make an empty one, which is OK; free with result_free(). */
struct result {
	enum check_state state;
	struct buf	 problems, summary, perfdata, lines;
	size_t		 n_lines, n_more;
};

const char	*check_state_word(enum check_state s);
/* The worse state of both is the result: OK, WARNING, UNKNOWN, CRITICAL in this order. */
void	result_raise(struct result *r, enum check_state s);
/* The same with what is wrong, which stands before the summary; CHECK_OK: worth saying all the same. */
void	result_problem(struct result *r, enum check_state s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Appends to what the first line says in any case. */
void	result_summary(struct result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `name` and `unit` ("", "s", "c") are ours. Thresholds may be NULL. */
void	result_perf(struct result *r, const char *name, unsigned long long value, const char *unit, const struct range *warning,
	    const struct range *critical);
/* A line of details; those past RESULT_LINES_MAX are counted. */
void	result_line(struct result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints it and returns the exit code; UNKNOWN when memory was out, as something may be missing then. */
int	result_print(struct result *r, bool details, FILE *out);
void	result_free(struct result *r);

/* A copy of `s` in at most `size` - 1 octets: clean (text_clean()) and without what monitoring systems, shells and browsers take
 * for more than text. */
void	result_escape(char *out, size_t size, const char *s);
#endif
