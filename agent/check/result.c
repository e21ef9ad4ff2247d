/* agent/check/result.c: the one place where text leaves the plug-in. */
#include "check/result.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

#define PIECE_MAX 512

const char *
check_state_word(enum check_state s)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	return words[s];
}

void
result_raise(struct result *r, enum check_state s)
{
	static const unsigned badness[] = { [CHECK_OK] = 0, [CHECK_WARNING] = 1, [CHECK_UNKNOWN] = 2, [CHECK_CRITICAL] = 3 };

	if (badness[s] > badness[r->state])
		r->state = s;
}

static void append(struct buf *b, const char *between, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

static void
append(struct buf *b, const char *between, const char *fmt, va_list ap)
{
	char piece[PIECE_MAX];

	vsnprintf(piece, sizeof piece, fmt, ap);
	if (b->len > 0)
		put_bytes(b, between, strlen(between));
	put_bytes(b, piece, strlen(piece));
}

void
result_problem(struct result *r, enum check_state s, const char *fmt, ...)
{
	va_list ap;

	result_raise(r, s);
	va_start(ap, fmt);
	append(&r->problems, "; ", fmt, ap);
	va_end(ap);
}

void
result_summary(struct result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(&r->summary, "", fmt, ap);
	va_end(ap);
}

/* name=value[unit];[warning];[critical];[min], without semicolons at its end. Nothing of ours is negative. */
void
result_perf(struct result *r, const char *name, unsigned long long value, const char *unit, const struct range *warning,
    const struct range *critical)
{
	const char *w = warning != NULL && warning->set ? warning->text : "", *c = critical != NULL && critical->set ? critical->text : "";

	assert(strcspn(name, " ='\"|;") == strlen(name));
	buf_printf(&r->perfdata, "%s%s=%llu%s", r->perfdata.len > 0 ? " " : "", name, value, unit);
	if (w[0] != '\0' || c[0] != '\0')
		buf_printf(&r->perfdata, ";%s;%s;0", w, c);
}

void
result_line(struct result *r, const char *fmt, ...)
{
	char raw[PIECE_MAX], line[RESULT_LINE_MAX + 1];
	va_list ap;

	if (r->n_lines == RESULT_LINES_MAX) {
		r->n_more++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	result_escape(line, sizeof line, raw);
	buf_printf(&r->lines, "%s\n", line);
	r->n_lines++;
}

/* | begins performance data; ` $ & < > and quotes are what Nagios takes out of macros, for the sake of shells and of its web pages;
 * \n as two characters becomes a line in passive results. Quotes are left out, as our own texts have them around names. */
void
result_escape(char *out, size_t size, const char *s)
{
	char *to = out;

	text_clean(out, size, s, strlen(s));
	for (const char *p = out; *p != '\0'; p++)
		if (*p != '"' && *p != '\'')
			*to++ = strchr("|`$&<>\\", *p) != NULL ? '?' : *p;
	*to = '\0';
}

int
result_print(struct result *r, bool details, FILE *out)
{
	struct buf all = { 0 };
	char first[RESULT_FIRST_MAX + 1];
	const char *perfdata = r->perfdata.len > 0 ? buf_text(&r->perfdata) : "", *lines = r->lines.len > 0 ? buf_text(&r->lines) : "";

	buf_printf(&all, "CAMTRAPD %s: ", check_state_word(r->state));
	put_bytes(&all, r->problems.p, r->problems.len);
	if (r->problems.len > 0 && r->summary.len > 0)
		put_bytes(&all, "; ", 2);
	put_bytes(&all, r->summary.p, r->summary.len);
	if (buf_text(&all) == NULL || perfdata == NULL || lines == NULL || r->problems.bad || r->summary.bad || r->perfdata.bad || r->lines.bad) {
		buf_free(&all);
		fputs("CAMTRAPD UNKNOWN: out of memory\n", out);
		return CHECK_UNKNOWN;
	}
	result_escape(first, sizeof first, buf_text(&all));
	buf_free(&all);
	fprintf(out, "%s%s%s\n", first, perfdata[0] != '\0' ? " | " : "", perfdata);
	if (details)
		fputs(lines, out);
	if (details && r->n_more > 0)
		fprintf(out, "and %zu more\n", r->n_more);
	return (int)r->state;
}

void
result_free(struct result *r)
{
	buf_free(&r->problems);
	buf_free(&r->summary);
	buf_free(&r->perfdata);
	buf_free(&r->lines);
	*r = (struct result){ 0 };
}
