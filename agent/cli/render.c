/* agent/cli/render.c: which keys of a document become which columns. What is not known is shown as "-". */
#include "cli/render.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "cli/dot.h"
#include "cli/page.h"
#include "cli/table.h"
#include "client/client.h"

struct column { const char *path; enum form form; struct table_column shown; };

/* Ranks at 80 columns: what it is and where stay; then who made it, is it there, how bad. */
static const struct column device_columns[] = {
	{ "id", FORM_PLAIN, { "ID", 0, 0 } }, { "mac", FORM_PLAIN, { "MAC", 0, 0 } }, { "vendor", FORM_PLAIN, { "MAKER", 2, 9 } },
	{ "location.switch", FORM_PLAIN, { "SWITCH", 0, 0 } }, { "location.port", FORM_PLAIN, { "PORT", 0, 0 } },
	{ "location.vlan", FORM_PLAIN, { "VLAN", 9, 0 } }, { "location.verdict", FORM_PLAIN, { "PLACE", 5, 0 } },
	{ "presence", FORM_PLAIN, { "PRESENCE", 3, 0 } }, { "severity", FORM_PLAIN, { "SEVERITY", 4, 0 } },
	{ "handling", FORM_PLAIN, { "HANDLING", 7, 0 } }, { "lastSeen", FORM_AGE, { "SEEN AGO", 6, 0 } },
	{ "firstSeen", FORM_AGE, { "FIRST AGO", 8, 0 } }, { "ip", FORM_PLAIN, { "IP", 10, 0 } }, { "site", FORM_PLAIN, { "SITE", 11, 8 } },
};
static const char *const device_csv[] = { "id", "mac", "vendor", "policies", "presence", "handling", "origin", "confidence", "severity", "site",
	"location.switch", "location.ifIndex", "location.port", "location.alias", "location.vlan", "location.verdict",
	"location.reasonCode", "location.reason", "ip", "firstSeen", "lastSeen", "waiver.until", "waiver.by" };

static const struct column switch_columns[] = {
	{ "name", FORM_PLAIN, { "NAME", 0, 0 } }, { "state", FORM_PLAIN, { "STATE", 0, 0 } }, { "address", FORM_PLAIN, { "ADDRESS", 4, 0 } },
	{ "lastPoll", FORM_AGE, { "POLLED AGO", 2, 0 } }, { "lastComplete", FORM_AGE, { "COMPLETE AGO", 5, 0 } },
	{ "fdbRows", FORM_PLAIN, { "FDB ROWS", 6, 0 } }, { "error", FORM_PLAIN, { "ERROR", 1, 20 } },
	{ "uplinks", FORM_PLAIN, { "UPLINKS", 7, 10 } }, { "site", FORM_PLAIN, { "SITE", 8, 8 } },
	{ "location", FORM_PLAIN, { "LOCATION", 9, 12 } },
};
static const char *const switch_csv[] = { "name", "address", "site", "location", "state", "lastPoll", "lastComplete", "baseline", "fdbRows", "uplinks",
	"credential", "error" };

static const struct column station_columns[] = {
	{ "mac", FORM_PLAIN, { "MAC", 0, 0 } }, { "vendor", FORM_PLAIN, { "MAKER", 2, 12 } }, { "location.switch", FORM_PLAIN, { "SWITCH", 0, 0 } },
	{ "location.port", FORM_PLAIN, { "PORT", 0, 0 } }, { "location.vlan", FORM_PLAIN, { "VLAN", 6, 0 } },
	{ "location.verdict", FORM_PLAIN, { "PLACE", 1, 0 } }, { "detectionId", FORM_PLAIN, { "DEVICE", 3, 0 } },
	{ "lastSeen", FORM_AGE, { "SEEN AGO", 4, 0 } }, { "firstSeen", FORM_AGE, { "FIRST AGO", 7, 0 } },
	{ "location.reason", FORM_PLAIN, { "WHY", 8, 24 } },
};
static const char *const station_csv[] = { "mac", "vendor", "location.switch", "location.ifIndex", "location.port", "location.alias", "location.vlan",
	"location.verdict", "location.reasonCode", "location.reason", "firstSeen", "lastSeen", "detectionId", "presence" };

/* Blind spots are rows of the same CSV: of "a.switch,switch" the first that is there; the column is named by the first. */
static const struct column link_columns[] = {
	{ "a.switch", FORM_PLAIN, { "SWITCH", 0, 0 } }, { "a.port", FORM_PLAIN, { "PORT", 0, 0 } }, { "b.switch", FORM_PLAIN, { "SWITCH", 0, 0 } },
	{ "b.port", FORM_PLAIN, { "PORT", 0, 0 } }, { "through", FORM_PLAIN, { "THROUGH", 1, 12 } }, { "a.reasonCode", FORM_PLAIN, { "WHY", 2, 12 } },
	{ "b.reasonCode", FORM_PLAIN, { "WHY THERE", 3, 12 } },
};
static const char *const link_csv[] = { "kind", "a.switch,switch", "a.port,port", "a.ifIndex,ifIndex", "a.reasonCode", "a.reason",
	"b.switch,neighbour.name", "b.port,neighbour.port", "b.ifIndex", "b.reasonCode", "b.reason", "through", "text" };

static const struct column finding_columns[] = { { "severity", FORM_PLAIN, { "SEVERITY", 0, 0 } }, { "text", FORM_PLAIN, { "TEXT", 0, 0 } } };
static const char *const finding_csv[] = { "severity", "code", "what.switch", "what.port", "what.ifIndex", "what.receiver", "what.credential",
	"what.process", "what.file", "what.line", "text", "remedy" };

/* `mac,text`: the first of them that is there. Twenty columns keep a MAC whole. */
static const struct column event_columns[] = {
	{ "at", FORM_TIME, { "AT (UTC)", 0, 0 } }, { "type", FORM_PLAIN, { "EVENT", 0, 0 } }, { "mac,text", FORM_PLAIN, { "WHAT", 1, 17 } },
	{ "switch", FORM_PLAIN, { "SWITCH", 0, 0 } }, { "port", FORM_PLAIN, { "PORT", 0, 0 } }, { "severity", FORM_PLAIN, { "SEVERITY", 2, 0 } },
	{ "vendor", FORM_PLAIN, { "MAKER", 3, 9 } }, { "detectionId", FORM_PLAIN, { "DEVICE", 4, 0 } }, { "site", FORM_PLAIN, { "SITE", 5, 8 } },
};
static const char *const event_csv[] = { "at", "sequence", "epoch", "id", "type", "severity", "detectionId", "mac", "vendor", "policy", "confidence",
	"presence", "handling", "origin", "site", "switch", "ifIndex", "port", "alias", "vlan", "ip", "verdict", "count", "text" };

/* `more`: a list whose members follow as rows of the CSV; NULL: none. */
struct list { const char *command, *list; const struct column *columns; size_t n; const char *const *csv; size_t n_csv; const char *more; };
static const struct list lists[] = {
	{ "topology", "links", link_columns, nitems(link_columns), link_csv, nitems(link_csv), "blindSpots" },
	{ "doctor", "findings", finding_columns, nitems(finding_columns), finding_csv, nitems(finding_csv), NULL },
	{ "devices", "devices", device_columns, nitems(device_columns), device_csv, nitems(device_csv), NULL },
	{ "switches", "switches", switch_columns, nitems(switch_columns), switch_csv, nitems(switch_csv), NULL },
	{ "find", "stations", station_columns, nitems(station_columns), station_csv, nitems(station_csv), NULL },
	{ "events", "events", event_columns, nitems(event_columns), event_csv, nitems(event_csv), NULL },
};

static const struct list *
list_of(const char *command)
{
	for (size_t i = 0; i < nitems(lists); i++)
		if (strcmp(lists[i].command, command) == 0)
			return &lists[i];
	return NULL;
}

/* A row of cells from `o`; their texts stay in `b`. */
static void
row_add(struct table *t, const json_t *o, const char *const *paths, const enum form *forms, size_t n)
{
	const char *cells[TABLE_COLUMNS_MAX] = { NULL };	/* an optimizing compiler does not see that there are columns */
	struct buf b[TABLE_COLUMNS_MAX] = { 0 };

	assert(n <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < n; i++) {
		put_value(&b[i], value_at(o, paths[i]), forms[i]);
		cells[i] = buf_text(&b[i]);
	}
	table_row(t, cells);
	for (size_t i = 0; i < n; i++)
		buf_free(&b[i]);
}

static void
people_print(const json_t *list, const struct list *l)
{
	struct table_column shown[TABLE_COLUMNS_MAX];
	const char *paths[TABLE_COLUMNS_MAX];
	enum form forms[TABLE_COLUMNS_MAX];
	struct table *t;

	assert(l->n <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < l->n; i++) {
		shown[i] = l->columns[i].shown;
		paths[i] = l->columns[i].path;
		forms[i] = l->columns[i].form;
	}
	if ((t = table_new(shown, l->n)) == NULL)
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		row_add(t, json_array_get(list, i), paths, forms, l->n);
	if (table_rows(t) > 0)
		table_print(t, stdout, terminal_width(), terminal_colour());
	table_free(t);
}

static void
csv_print(const json_t *list, const struct list *l, bool header)
{
	struct table_column shown[TABLE_COLUMNS_MAX] = { 0 };
	char heads[TABLE_COLUMNS_MAX][64];
	enum form forms[TABLE_COLUMNS_MAX];
	struct table *t;

	assert(l->n_csv <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < l->n_csv; i++) {
		snprintf(heads[i], sizeof heads[i], "%.*s", (int)strcspn(l->csv[i], ","), l->csv[i]);
		shown[i].head = heads[i];
		forms[i] = FORM_PLAIN;
	}
	if ((t = table_new(shown, l->n_csv)) == NULL)
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		row_add(t, json_array_get(list, i), l->csv, forms, l->n_csv);
	table_csv(t, stdout, header);
	table_free(t);
}

/* Nested keys, one a line: "switches.ok,12". */
static void
tree_rows(struct table *t, const char *prefix, const json_t *v)
{
	const char *key;
	struct buf b = { 0 };
	json_t *one;
	char name[200];

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
		put_value(&b, v, FORM_PLAIN);
		table_row(t, (const char *const[]){ prefix, buf_text(&b) });
		buf_free(&b);
	}
}

static void
tree_csv(const json_t *doc)
{
	static const struct table_column columns[] = { { "key", 0, 0 }, { "value", 0, 0 } };
	struct table *t = table_new(columns, nitems(columns));

	if (t == NULL)
		return;
	tree_rows(t, "", doc);
	table_csv(t, stdout, true);
	table_free(t);
}

static int
status_of(const char *command, const json_t *doc)
{
	const char *result = json_string_value(json_object_get(doc, "result")), *state = json_string_value(json_object_get(doc, "state"));
	const struct list *l = list_of(command);

	if (l != NULL && l->more != NULL && json_array_size(json_object_get(doc, l->more)) > 0)
		return EXIT_DONE;
	if (l != NULL)
		return json_array_size(json_object_get(doc, l->list)) > 0 ? EXIT_DONE : EXIT_NOTHING;
	if (strcmp(command, "test") == 0) {
		if (str_eq(result, "acknowledged") || str_eq(result, "sent"))
			return EXIT_DONE;
		return str_eq(result, "refused") ? EXIT_REFUSED : EXIT_PARTIAL;
	}
	if (strcmp(command, "poll") == 0) {
		const json_t *states = json_object_get(doc, "states");

		if (states != NULL)
			return json_integer_value(json_object_get(states, "ok")) == json_integer_value(json_object_get(doc, "switches")) ?
			    EXIT_DONE : EXIT_PARTIAL;
		return str_eq(state, "ok") ? EXIT_DONE : EXIT_PARTIAL;
	}
	return EXIT_DONE;
}

static void
page_print(const char *command, const json_t *doc)
{
	static const struct { const char *command; void (*print)(const json_t *doc); } pages[] = { { "status", page_status },
		{ "device", page_device }, { "poll", page_poll }, { "test", page_test } };
	const struct list *l = list_of(command);
	const json_t *list = l != NULL ? json_object_get(doc, l->list) : NULL;

	for (size_t i = 0; i < nitems(pages); i++)
		if (strcmp(pages[i].command, command) == 0)
			pages[i].print(doc);
	if (l == NULL)
		return;
	if (strcmp(command, "find") == 0 && json_array_size(list) == 1)
		page_station(json_array_get(list, 0));
	else
		people_print(list, l);
	if (json_array_size(list) == 0)
		fprintf(stderr, "camtrapctl: no %s found%s\n", l->list,
		    strcmp(command, "find") == 0 ? " (of a MAC address at least four digits are wanted)" : "");
	else if (strcmp(command, "switches") == 0)
		page_switches_end(list);
	if (l->more != NULL)
		page_topology_end(doc);
}

/* With both lists of the document as rows. */
static void
csv_document(const json_t *doc, const struct list *l)
{
	json_t *rows = json_copy(json_object_get(doc, l->list));

	if (l->more != NULL)
		json_array_extend(rows, json_object_get(doc, l->more));
	csv_print(rows, l, true);
	json_decref(rows);
}

static void
dot_print(const json_t *doc)
{
	struct buf b = { 0 };

	put_dot(&b, doc);
	if (buf_text(&b) != NULL)
		fputs(buf_text(&b), stdout);
	buf_free(&b);
}

int
render(const char *command, const json_t *doc, enum format format)
{
	const struct list *l = list_of(command);

	if (format == FORMAT_JSON) {
		json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else if (format == FORMAT_CSV && l != NULL)
		csv_document(doc, l);
	else if (format == FORMAT_DOT)
		dot_print(doc);
	else if (format == FORMAT_CSV)
		tree_csv(strcmp(command, "device") == 0 ? json_object_get(doc, "device") : doc);
	else
		page_print(command, doc);
	return status_of(command, doc);
}

void
render_events(const json_t *doc, enum format format, bool header)
{
	const json_t *list = json_object_get(doc, "events");

	if (format == FORMAT_CSV) {
		csv_print(list, list_of("events"), header);
	} else {
		for (size_t i = 0; i < json_array_size(list); i++) {
			if (format == FORMAT_TABLE) {
				page_event(json_array_get(list, i));
				continue;
			}
			json_dumpf(json_array_get(list, i), stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		}
	}
	fflush(stdout);
}
