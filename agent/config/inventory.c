/* agent/config/inventory.c: switches from a CSV file (RFC 4180; the header line names the columns; lines with # are remarks). */
#include "config/load.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static const char *const columns[] = { "name", "address", "credential", "site", "location", "poll_interval" };
#define COLUMNS_MAX	nitems(columns)
#define FIELDS_MAX	16

/* Takes one record apart in place; a quoted field may hold commas, doubled quotes and line ends. Returns what follows it,
 * *n the fields (FIELDS_MAX + 1: more than that), *lines the lines it took; NULL: a quote is not closed or in a wrong place. */
static char *
record(char *p, char *field[FIELDS_MAX], size_t *n, unsigned *lines)
{
	char *out, end;

	*n = 0;
	*lines = 1;
	for (;;) {
		char *start = p;

		out = p;
		if (*p == '"') {
			start = out = ++p;
			for (; *p != '\0' && (*p != '"' || p[1] == '"'); p++) {
				p += *p == '"';
				*lines += *p == '\n';
				*out++ = *p;
			}
			if (*p++ != '"' || (*p != ',' && *p != '\n' && *p != '\0' && !(*p == '\r' && p[1] == '\n')))
				return NULL;
		} else {
			p += strcspn(p, ",\n");
			out = p;
			while (out > start && strchr(" \t\r", out[-1]) != NULL)
				out--;
			while (start < out && (*start == ' ' || *start == '\t'))
				start++;
		}
		if (*p == '\r')
			p++;
		end = *p;
		*out = '\0';
		if (*n < FIELDS_MAX)
			field[*n] = start;
		*n += *n <= FIELDS_MAX;
		if (end == '\0')
			return p;
		p++;
		if (end == '\n')
			return p;
	}
}

static bool
read_header(const struct where *w, char *const *field, size_t n, const struct conf_key *column[FIELDS_MAX])
{
	const struct conf_key *keys = conf_groups[G_SWITCHES].keys;
	bool ok = true, seen[COLUMNS_MAX] = { false };
	char near[96];

	if (n > COLUMNS_MAX) {
		mistake(w, "header: more than %zu columns", COLUMNS_MAX);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		size_t c = 0;

		while (c < COLUMNS_MAX && strcmp(columns[c], field[i]) != 0)
			c++;
		if (c == COLUMNS_MAX || seen[c]) {
			mistake(w, "header: %s column \"%s\"%s", c == COLUMNS_MAX ? "unknown" : "a second", field[i],
			    c == COLUMNS_MAX ? hint(near, sizeof near, field[i], columns, COLUMNS_MAX) : "");
			ok = false;
			continue;
		}
		seen[c] = true;
		column[i] = key_find(keys, columns[c]);
	}
	for (size_t c = 0; c < 2; c++) {
		if (!seen[c])
			mistake(w, "header: column \"%s\" is missing", columns[c]);
		ok &= seen[c];
	}
	return ok;
}

static void
read_row(struct where w, char *const *field, size_t n, const struct conf_key *const *column, size_t n_columns)
{
	const struct conf_group *g = &conf_groups[G_SWITCHES];
	struct conf_switch *s;
	struct written *o;

	w.what = "switch";
	for (size_t i = 0; i < n && i < n_columns; i++) {
		if (strcmp(column[i]->name, "name") == 0 && field[i][0] != '\0')
			w.name = field[i];
	}
	w.index = w.l->c->n_switches;
	if (n != n_columns) {
		mistake(&w, "%s%zu fields where the header has %zu", n > FIELDS_MAX ? "over " : "", n > FIELDS_MAX ? FIELDS_MAX : n, n_columns);
		return;
	}
	if ((s = load_element(w.l, G_SWITCHES, &o)) == NULL)
		return;
	o->file = w.file;
	o->line = w.line;
	for (size_t i = 0; i < n; i++) {
		const struct conf_key *k = column[i];

		assert(k != NULL && k >= g->keys);
		if (field[i][0] == '\0') {
			if (k->flags & F_REQUIRED)
				mistake(&w, "%s is missing", k->name);
			continue;		/* not said */
		}
		w.key = k->name;
		o->key_line[k - g->keys] = w.line;
		set_text(&w, k, s, field[i]);
		w.key = NULL;
	}
	set_switch_rest(w.l, s, o);
	g->preset(s);
}

void
inventory_read(const struct where *from, const char *path)
{
	const struct conf_key *column[FIELDS_MAX];
	char *text, *p, *field[FIELDS_MAX];
	size_t size, n, n_columns = 0;
	struct where w = { .l = from->l };
	unsigned lines;

	if ((text = load_read(from, path, &size)) == NULL)
		return;
	w.file = load_intern(w.l, path);
	w.line = 1;
	if (strlen(text) != size) {
		mistake(&w, "has a NUL octet: not a text");
		goto out;
	}
	p = text;
	if (strncmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;				/* what spreadsheets put first */
	for (; *p != '\0'; w.line += lines) {
		if (*p == '#' || *p == '\n' || (*p == '\r' && p[1] == '\n')) {
			p += strcspn(p, "\n");
			p += *p == '\n';
			lines = 1;
			continue;
		}
		if ((p = record(p, field, &n, &lines)) == NULL) {
			mistake(&w, "a quote is not closed, or text follows it");
			goto out;
		}
		if (n_columns != 0)
			read_row(w, field, n, column, n_columns);
		else if (read_header(&w, field, n, column))
			n_columns = n;
		else
			goto out;
	}
	if (n_columns == 0)
		mistake(&w, "the header line is missing: name,address,credential,site,location,poll_interval");
out:
	free(text);
}
