/* agent/cli/table.c: column widths and CSV quoting. */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/num.h"

struct table {
	size_t	 columns, n, cap;		/* n: cells, the header's too */
	char	**cells;
};

/* Characters, not octets. */
static size_t
shown(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

struct table *
table_new(const char *const *names, size_t n)
{
	struct table *t = calloc(1, sizeof *t);

	if (t == NULL || n == 0 || n > TABLE_COLUMNS_MAX) {
		free(t);
		return NULL;
	}
	t->columns = n;
	table_row(t, names);
	return t;
}

void
table_row(struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->columns; i++) {
		char *copy = strdup(cells[i] != NULL && cells[i][0] != '\0' ? cells[i] : "-");

		if (copy == NULL || array_grow((void **)&t->cells, t->n, &t->cap, sizeof *t->cells) < 0) {
			fprintf(stderr, "camtrapctl: out of memory\n");
			exit(5);
		}
		t->cells[t->n++] = copy;
	}
}

size_t
table_rows(const struct table *t)
{
	return t->n / t->columns - 1;
}

/* At most `width` characters of `s`, filled with blanks when not the last column. */
static void
cell_print(const char *s, size_t width, bool last, FILE *out)
{
	size_t n = 0, full = shown(s);

	for (const char *p = s; *p != '\0'; p++) {
		if (((unsigned char)*p & 0xc0) != 0x80) {
			if (full > width && n + 1 >= width) {
				fputs("…", out);
				n++;
				break;
			}
			n++;
		}
		fputc(*p, out);
	}
	for (; !last && n < width + 2; n++)
		fputc(' ', out);
}

void
table_print(const struct table *t, FILE *out, size_t width)
{
	size_t wide[TABLE_COLUMNS_MAX] = { 0 }, used = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t w = shown(t->cells[i]);

		if (w > wide[i % t->columns])
			wide[i % t->columns] = w;
	}
	for (size_t i = 0; i + 1 < t->columns; i++)
		used += wide[i] + 2;
	if (width > used + 8 && wide[t->columns - 1] > width - used)
		wide[t->columns - 1] = width - used;
	for (size_t i = 0; i < t->n; i++) {
		bool last = i % t->columns == t->columns - 1;

		cell_print(t->cells[i], wide[i % t->columns], last, out);
		if (last)
			fputc('\n', out);
	}
}

void
table_csv(const struct table *t, FILE *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *s = t->cells[i];
		bool formula = s[1] != '\0' && strchr("=+-@", s[0]) != NULL, quote = strpbrk(s, ",\"\r\n") != NULL;

		if (quote)
			fputc('"', out);
		if (formula)
			fputc('\'', out);
		if (strcmp(s, "-") == 0)
			s = "";		/* not known */
		for (; *s != '\0'; s++) {
			if (*s == '"')
				fputc('"', out);
			fputc(*s, out);
		}
		if (quote)
			fputc('"', out);
		fputs(i % t->columns == t->columns - 1 ? "\r\n" : ",", out);
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
	struct winsize w;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}
