/* agent/cli/render.c: which keys of a document become which columns. A key that is not there is shown as "-". */
#include "cli/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cli/client.h"
#include "cli/table.h"

#define CELL 256

/* A value inside `o` by "location.port". NULL: not there. */
static const json_t *
value_at(const json_t *o, const char *path)
{
	char key[64];

	while (o != NULL) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof key, "%.*s", (int)n, path);
		o = json_object_get(o, key);
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	return o;
}

static const char *
cell_of(const json_t *v, char out[static CELL])
{
	out[0] = '\0';
	if (json_is_string(v))
		snprintf(out, CELL, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(out, CELL, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(out, CELL, "%s", json_is_true(v) ? "yes" : "no");
	else if (json_is_real(v))
		snprintf(out, CELL, "%g", json_real_value(v));
	else if (json_is_array(v)) {
		/* A list of words, or how many there are. */
		size_t used = 0;

		for (size_t i = 0; i < json_array_size(v); i++) {
			const json_t *one = json_array_get(v, i);
			const char *s = json_string_value(json_is_object(one) ? json_object_get(one, "port") : one);
			int n;

			n = s != NULL && used < CELL ? snprintf(out + used, CELL - used, "%s%s", used > 0 ? "," : "", s) : 0;
			used += n > 0 ? (size_t)n : 0;
		}
	}
	return out;
}

struct column { const char *name, *path; };

static void
list_print(const json_t *list, const struct column *columns, size_t n, enum format format)
{
	const char *cells[TABLE_COLUMNS_MAX];
	char texts[TABLE_COLUMNS_MAX][CELL];
	struct table *t;

	for (size_t i = 0; i < n; i++)
		cells[i] = columns[i].name;
	if ((t = table_new(cells, n)) == NULL)
		return;
	for (size_t i = 0; i < json_array_size(list); i++) {
		for (size_t k = 0; k < n; k++)
			cells[k] = cell_of(value_at(json_array_get(list, i), columns[k].path), texts[k]);
		table_row(t, cells);
	}
	if (format == FORMAT_CSV)
		table_csv(t, stdout);
	else
		table_print(t, stdout, terminal_width());
	table_free(t);
}

/* The first ones for people, all for CSV. */
static const struct column device_columns[] = {
	{ "ID", "id" }, { "MAC", "mac" }, { "VENDOR", "vendor" }, { "PRESENCE", "presence" }, { "HANDLING", "handling" },
	{ "SEVERITY", "severity" }, { "SITE", "site" }, { "SWITCH", "location.switch" }, { "PORT", "location.port" },
	{ "VLAN", "location.vlan" }, { "VERDICT", "location.verdict" }, { "IP", "ip" }, { "CONFIDENCE", "confidence" },
	{ "FIRST SEEN", "firstSeen" }, { "LAST SEEN", "lastSeen" }, { "POLICIES", "policies" },
};
static const struct column switch_columns[] = {
	{ "NAME", "name" }, { "ADDRESS", "address" }, { "SITE", "site" }, { "STATE", "state" }, { "LAST POLL", "lastPoll" },
	{ "LAST COMPLETE", "lastComplete" }, { "ROWS", "fdbRows" }, { "UPLINKS", "uplinks" }, { "ERROR", "error" },
};
static const struct column station_columns[] = {
	{ "MAC", "mac" }, { "VENDOR", "vendor" }, { "VERDICT", "location.verdict" }, { "SWITCH", "location.switch" },
	{ "PORT", "location.port" }, { "VLAN", "location.vlan" }, { "FIRST SEEN", "firstSeen" }, { "LAST SEEN", "lastSeen" },
	{ "WHERE", "location.reason" },
};
static const struct column event_columns[] = {
	{ "AT", "at" }, { "SEVERITY", "severity" }, { "EVENT", "type" }, { "DEVICE", "detectionId" }, { "MAC", "mac" },
	{ "VENDOR", "vendor" }, { "SITE", "site" }, { "SWITCH", "switch" }, { "PORT", "port" }, { "TEXT", "text" },
};

/* Nested keys, one a line: "switches.ok    12". */
static void
tree_rows(struct table *t, const char *prefix, const json_t *v)
{
	const char *key;
	json_t *one;
	char name[160], text[CELL];

	if (json_is_object(v)) {
		json_object_foreach((json_t *)(uintptr_t)v, key, one) {
			snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);
			if (strcmp(name, "version") != 0)
				tree_rows(t, name, one);
		}
	} else if (json_is_array(v) && json_is_object(json_array_get(v, 0))) {
		for (size_t i = 0; i < json_array_size(v); i++) {
			snprintf(name, sizeof name, "%s[%zu]", prefix, i);
			tree_rows(t, name, json_array_get(v, i));
		}
	} else {
		table_row(t, (const char *const[]){ prefix, cell_of(v, text) });
	}
}

static void
tree_print(const json_t *doc, enum format format)
{
	struct table *t = table_new((const char *const[]){ "WHAT", "VALUE" }, 2);

	if (t == NULL)
		return;
	tree_rows(t, "", doc);
	if (format == FORMAT_CSV)
		table_csv(t, stdout);
	else
		table_print(t, stdout, terminal_width());
	table_free(t);
}

static const struct { const char *command, *list; const struct column *columns; size_t n, people; } lists[] = {
	{ "devices", "devices", device_columns, nitems(device_columns), 11 },
	{ "switches", "switches", switch_columns, nitems(switch_columns), nitems(switch_columns) },
	{ "find", "stations", station_columns, nitems(station_columns), nitems(station_columns) },
	{ "events", "events", event_columns, nitems(event_columns), nitems(event_columns) },
};

static int
status_of(const char *command, const json_t *doc)
{
	const char *result = json_string_value(json_object_get(doc, "result")), *state = json_string_value(json_object_get(doc, "state"));

	for (size_t i = 0; i < nitems(lists); i++)
		if (strcmp(lists[i].command, command) == 0)
			return json_array_size(json_object_get(doc, lists[i].list)) > 0 ? EXIT_DONE : EXIT_NOTHING;
	if (strcmp(command, "test") == 0) {
		if (str_eq(result, "acknowledged") || str_eq(result, "sent"))
			return EXIT_DONE;
		return str_eq(result, "refused") ? EXIT_REFUSED : EXIT_PARTIAL;
	}
	if (strcmp(command, "poll") == 0)
		return str_eq(state, "ok") ? EXIT_DONE : EXIT_PARTIAL;
	return EXIT_DONE;
}

int
render(const char *command, const json_t *doc, enum format format)
{
	if (format == FORMAT_JSON) {
		json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
		putchar('\n');
		return status_of(command, doc);
	}
	for (size_t i = 0; i < nitems(lists); i++) {
		if (strcmp(lists[i].command, command) == 0) {
			list_print(json_object_get(doc, lists[i].list), lists[i].columns,
			    format == FORMAT_CSV ? lists[i].n : lists[i].people, format);
			return status_of(command, doc);
		}
	}
	tree_print(strcmp(command, "device") == 0 ? json_object_get(doc, "device") : doc, format);
	return status_of(command, doc);
}

void
render_more_events(const json_t *doc, enum format format)
{
	const json_t *list = json_object_get(doc, "events");
	char a[CELL], b[CELL], c[CELL], d[CELL];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);

		if (format == FORMAT_JSON) {
			json_dumpf(e, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		} else {
			printf("%s  %s  %s  %s\n", cell_of(json_object_get(e, "at"), a), cell_of(json_object_get(e, "severity"), b),
			    cell_of(json_object_get(e, "type"), c), cell_of(json_object_get(e, "text"), d));
		}
	}
	fflush(stdout);
}
