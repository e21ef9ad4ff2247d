/* agent/cli/table.c: column widths, colours and CSV quoting. */
#include "cli/table.h"

#include <assert.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/num.h"
#include "base/text.h"
#include "client/client.h"

#define GAP 2				/* blanks between columns */

struct table {
	const struct table_column *columns;
	size_t	 n_columns, n, cap;	/* n: cells */
	char	**cells;
};

/* Where each column stands on this terminal. */
struct layout { size_t wide[TABLE_COLUMNS_MAX]; bool shown[TABLE_COLUMNS_MAX]; };

/* One UTF-8 character of cleaned text: its length in octets, and its width. */
static size_t
character(const char *s, size_t *width)
{
	static bool ready;
	mbstate_t state = { 0 };
	wchar_t wc;
	size_t n;
	int w;

	/* Text is UTF-8 whatever the locale is, and so are terminals of today. */
	if (!ready && setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "");
	ready = true;
	n = mbrtowc(&wc, s, MB_CUR_MAX, &state);
	if (n == 0 || n > 4) {
		*width = 1;
		return 1;
	}
	w = wcwidth(wc);
	*width = w < 0 ? 1 : (size_t)w;
	return n;
}

size_t
text_width(const char *s)
{
	size_t all = 0, w;

	while (*s != '\0') {
		s += character(s, &w);
		all += w;
	}
	return all;
}

struct table *
table_new(const struct table_column *columns, size_t n)
{
	struct table *t = calloc(1, sizeof *t);

	assert(n > 0 && n <= TABLE_COLUMNS_MAX);
	if (t == NULL)
		return NULL;
	t->columns = columns;
	t->n_columns = n;
	return t;
}

static char *
clean_copy(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = malloc(size);

	if (copy != NULL)
		text_clean(copy, size, s, size - 1);
	return copy;
}

void
table_row(struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		char *copy = clean_copy(cells[i] != NULL ? cells[i] : "");

		if (copy == NULL || array_grow((void **)&t->cells, t->n, &t->cap, sizeof *t->cells) < 0) {
			fprintf(stderr, "camtrapctl: out of memory\n");
			exit(EXIT_PARTIAL);
		}
		t->cells[t->n++] = copy;
	}
}

size_t
table_rows(const struct table *t)
{
	assert(t->n % t->n_columns == 0);
	return t->n / t->n_columns;
}

/* Words that a tired person must not overlook. */
static const char *
colour_of(const char *word)
{
	static const struct { const char *word, *sgr; } known[] = { { "critical", "1;31" }, { "unreachable", "31" }, { "auth-failed", "31" },
		{ "down", "31" }, { "failing", "1;31" }, { "failed", "31" }, { "timed out", "31" }, { "refused", "31" }, { "major", "33" },
		{ "incomplete", "33" }, { "stale", "33" }, { "never", "33" }, { "unknown", "33" }, { "not configured", "33" } };

	for (size_t i = 0; i < nitems(known); i++)
		if (strcmp(known[i].word, word) == 0)
			return known[i].sgr;
	return NULL;
}

/* At most `width` columns of `s`; without `last` filled with blanks to it and the gap. */
static void
cell_print(const char *s, size_t width, bool last, const char *sgr, FILE *out)
{
	bool cut = text_width(s) > width;
	size_t at = 0, w;

	if (sgr != NULL)
		fprintf(out, "\033[%sm", sgr);
	while (*s != '\0') {
		size_t n = character(s, &w);

		if (cut && at + w + 1 > width)
			break;
		fwrite(s, 1, n, out);
		s += n;
		at += w;
	}
	if (cut) {
		fputs("…", out);
		at++;
	}
	if (sgr != NULL)
		fputs("\033[0m", out);
	for (; !last && at < width + GAP; at++)
		fputc(' ', out);
}

void
word_print(const char *s, FILE *out, bool colour)
{
	char *copy = clean_copy(s);

	if (copy != NULL)
		cell_print(copy, SIZE_MAX - 1, true, colour ? colour_of(copy) : NULL, out);
	free(copy);
}

static size_t
layout_width(const struct table *t, const struct layout *l)
{
	size_t all = 0;

	for (size_t i = 0; i < t->n_columns; i++)
		if (l->shown[i])
			all += l->wide[i] + (all > 0 ? GAP : 0);
	return all;
}

static bool
is_cuttable(const struct table_column *c, size_t wide)
{
	return c->rank > 0 && c->least > 0 && wide > c->least;
}

/* Takes one column off the widest cell that may be cut; false: none may. */
static bool
layout_cut(const struct table *t, struct layout *l)
{
	size_t best = t->n_columns;

	for (size_t i = 0; i < t->n_columns; i++)
		if (l->shown[i] && is_cuttable(&t->columns[i], l->wide[i]) && (best == t->n_columns || l->wide[i] >= l->wide[best]))
			best = i;
	if (best == t->n_columns)
		return false;
	l->wide[best]--;
	return true;
}

/* Leaves out the least important column, and lets the others be cut anew from their full width. */
static bool
layout_drop(const struct table *t, struct layout *l)
{
	size_t best = t->n_columns;

	for (size_t i = 0; i < t->n_columns; i++)
		if (l->shown[i] && t->columns[i].rank > 0 && (best == t->n_columns || t->columns[i].rank > t->columns[best].rank))
			best = i;
	if (best == t->n_columns)
		return false;
	l->shown[best] = false;
	return true;
}

static void
layout_fit(const struct table *t, struct layout *l, size_t width)
{
	size_t full[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < t->n_columns; i++) {
		l->shown[i] = true;
		full[i] = text_width(t->columns[i].head);
	}
	for (size_t i = 0; i < t->n; i++) {
		size_t w = t->cells[i][0] != '\0' ? text_width(t->cells[i]) : 1;

		if (w > full[i % t->n_columns])
			full[i % t->n_columns] = w;
	}
	do {
		memcpy(l->wide, full, sizeof full);
		while (width > 0 && layout_width(t, l) > width && layout_cut(t, l))
			;
	} while (width > 0 && layout_width(t, l) > width && layout_drop(t, l));
}

static size_t
last_shown(const struct table *t, const struct layout *l)
{
	size_t last = 0;

	for (size_t i = 0; i < t->n_columns; i++)
		if (l->shown[i])
			last = i;
	return last;
}

void
table_print(const struct table *t, FILE *out, size_t width, bool colour)
{
	struct layout l = { 0 };
	size_t last, left_out = 0;

	layout_fit(t, &l, width);
	last = last_shown(t, &l);
	for (size_t i = 0; i < t->n_columns; i++)
		if (l.shown[i])
			cell_print(t->columns[i].head, l.wide[i], i == last, colour ? "1" : NULL, out);
	fputc('\n', out);
	for (size_t i = 0; i < t->n; i++) {
		size_t column = i % t->n_columns;
		const char *s = t->cells[i][0] != '\0' ? t->cells[i] : "-";

		if (l.shown[column])
			cell_print(s, l.wide[column], column == last, colour ? colour_of(s) : NULL, out);
		if (column == t->n_columns - 1)
			fputc('\n', out);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		left_out += !l.shown[i];
	if (left_out > 0 && width >= 72)
		fprintf(out, "(%zu column%s left out: a wider terminal, --csv or --json has more)\n", left_out, left_out > 1 ? "s" : "");
	else if (left_out > 0)
		fprintf(out, "(+%zu column%s)\n", left_out, left_out > 1 ? "s" : "");
}

static void
csv_cell(const char *s, FILE *out)
{
	bool formula = s[0] != '\0' && strchr("=+-@\t\r", s[0]) != NULL, quote = strpbrk(s, ",\"\r\n") != NULL;

	if (quote)
		fputc('"', out);
	if (formula)
		fputc('\'', out);
	for (; *s != '\0'; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	if (quote)
		fputc('"', out);
}

void
table_csv(const struct table *t, FILE *out, bool header)
{
	for (size_t i = 0; header && i < t->n_columns; i++) {
		csv_cell(t->columns[i].head, out);
		fputs(i == t->n_columns - 1 ? "\r\n" : ",", out);
	}
	for (size_t i = 0; i < t->n; i++) {
		csv_cell(t->cells[i], out);
		fputs(i % t->n_columns == t->n_columns - 1 ? "\r\n" : ",", out);
	}
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

size_t
terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w;
	uint64_t n;

	if (columns != NULL && num_parse(columns, 1, 10000, &n) == 0)
		return (size_t)n;
	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

bool
terminal_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}
