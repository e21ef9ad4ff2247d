/* agent/cli/page.c: labels on the left, sentences on the right; the most urgent first. */
#include "cli/page.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "cli/table.h"

#define LABEL 14			/* columns of the labels on the left */

static const json_t *
value_of_path(const json_t *o, const char *path, size_t n)
{
	char key[64];

	while (o != NULL) {
		size_t step = strcspn(path, ".,");

		if (step >= sizeof key || step > n)
			return NULL;
		memcpy(key, path, step);
		key[step] = '\0';
		o = json_object_get(o, key);
		if (step == n)
			break;
		path += step + 1;
		n -= step + 1;
	}
	return o;
}

const json_t *
value_at(const json_t *o, const char *path)
{
	for (;;) {
		size_t n = strcspn(path, ",");
		const json_t *v = value_of_path(o, path, n);

		if ((v != NULL && !json_is_null(v)) || path[n] == '\0')
			return v;
		path += n + 1;
	}
}

static void
put_time(struct buf *b, struct wall t)
{
	char text[WALL_TEXT], today[WALL_TEXT];

	wall_text(t, text);
	wall_text(wall_now(), today);
	buf_printf(b, "%.*s %.8s", strncmp(text, today, 5) == 0 ? 5 : 10, text + (strncmp(text, today, 5) == 0 ? 5 : 0), text + 11);
}

static void
put_age(struct buf *b, struct wall t)
{
	char text[24];
	int64_t us = wall_now().us - t.us;

	buf_printf(b, "%s", us < 1000000 ? "0 s" : duration_words((uint64_t)us / 1000000 * 1000, text));
}

void
put_value(struct buf *b, const json_t *v, enum form form)
{
	struct wall t;

	if (json_is_array(v)) {
		for (size_t i = 0; i < json_array_size(v); i++) {
			const json_t *one = json_array_get(v, i);

			if (i > 0)
				put_u8(b, ',');
			put_value(b, json_is_object(one) ? json_object_get(one, "port") : one, form);
		}
	} else if (json_is_string(v)) {
		const char *s = json_string_value(v);

		if (form != FORM_PLAIN && wall_parse(s, &t) == 0)
			form == FORM_TIME ? put_time(b, t) : put_age(b, t);
		else
			put_bytes(b, s, strlen(s));
	} else if (json_is_integer(v))
		buf_printf(b, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		buf_printf(b, "%s", json_is_true(v) ? "yes" : "no");
	else if (json_is_real(v))
		buf_printf(b, "%g", json_real_value(v));
}

static void
put_path(struct buf *b, const json_t *o, const char *path, enum form form)
{
	const json_t *v = value_at(o, path);

	if (v == NULL || json_is_null(v))
		put_u8(b, '-');
	else
		put_value(b, v, form);
}

static long long
number(const json_t *o, const char *path)
{
	return json_integer_value(value_at(o, path));
}

/* Octets of the longest start of `s` that ends at a blank and takes at most `room` columns; a longer word stays whole. */
static size_t
piece_of(const char *s, size_t room)
{
	char piece[1024];
	size_t best = 0;

	for (size_t n = strcspn(s, " ");; n += 1 + strcspn(s + n + 1, " ")) {
		if (best == 0)
			best = n;
		if (n >= sizeof piece)
			return best;
		memcpy(piece, s, n);
		piece[n] = '\0';
		if (text_width(piece) > room)
			return best;
		best = n;
		if (s[n] == '\0')
			return n;
	}
}

/* Beside its label, over as many lines as it needs; `text` is cleaned, and coloured when it is an alarming word. */
void
page_line(const char *label, const char *said)
{
	const char *text = said != NULL ? said : "";
	size_t size = strlen(text) + 1, width = terminal_width();
	char *clean = malloc(size), *p = clean;

	if (clean == NULL)
		return;
	text_clean(clean, size, text, size - 1);
	printf("%-*s", LABEL, label);
	while (width > LABEL + 20 && text_width(p) > width - LABEL) {
		size_t n = piece_of(p, width - LABEL);

		if (p[n] == '\0')
			break;
		printf("%.*s\n%*s", (int)n, p, LABEL, "");
		p += n + 1;
	}
	word_print(p, stdout, terminal_colour());
	putchar('\n');
	free(clean);
}

static void linef(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
linef(const char *label, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	page_line(label, text);
}

/* The values of a template: "%{path}" plain, "%t{path}" time, "%a{path}" age. */
static void
line_of(const char *label, const json_t *o, const char *template)
{
	struct buf b = { 0 };

	while (*template != '\0') {
		const char *open = template[0] == '%' ? strchr(template, '{') : NULL;

		if (open == NULL || open > template + 2) {
			put_u8(&b, (uint8_t)*template++);
			continue;
		}
		char path[64];
		size_t n = strcspn(open + 1, "}");

		snprintf(path, sizeof path, "%.*s", (int)n, open + 1);
		put_path(&b, o, path, template[1] == 't' ? FORM_TIME : template[1] == 'a' ? FORM_AGE : FORM_PLAIN);
		template = open + 1 + n + 1;
	}
	page_line(label, buf_text(&b) != NULL ? buf_text(&b) : "out of memory");
	buf_free(&b);
}

static bool
has(const json_t *o, const char *path)
{
	const json_t *v = value_at(o, path);

	return v != NULL && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0);
}

/* A list of objects below a heading. */
struct small_column { const char *path; enum form form; struct table_column shown; };

static void
small_table(const char *heading, const json_t *list, const struct small_column *columns, size_t n)
{
	struct table_column shown[TABLE_COLUMNS_MAX];
	struct table *t;

	if (json_array_size(list) == 0)
		return;
	for (size_t i = 0; i < n; i++)
		shown[i] = columns[i].shown;
	if ((t = table_new(shown, n)) == NULL)
		return;
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct buf b[TABLE_COLUMNS_MAX] = { 0 };
		const char *cells[TABLE_COLUMNS_MAX];

		for (size_t k = 0; k < n; k++) {
			put_value(&b[k], value_at(json_array_get(list, i), columns[k].path), columns[k].form);
			cells[k] = buf_text(&b[k]);
		}
		table_row(t, cells);
		for (size_t k = 0; k < n; k++)
			buf_free(&b[k]);
	}
	printf("\n%s\n", heading);
	table_print(t, stdout, terminal_width(), terminal_colour());
	table_free(t);
}

/* ---- the daemon */

static void
status_switches(const json_t *doc)
{
	static const struct { const char *path, *words; } states[] = { { "switches.unreachable", "unreachable" },
		{ "switches.authFailed", "refuse our credentials" }, { "switches.incomplete", "incomplete" },
		{ "switches.never", "not polled yet" } };
	long long done = number(doc, "firstSweep.done"), total = number(doc, "firstSweep.total");
	struct buf b = { 0 };

	buf_printf(&b, "%lld, %lld ok", number(doc, "switches.total"), number(doc, "switches.ok"));
	for (size_t i = 0; i < nitems(states); i++)
		if (number(doc, states[i].path) > 0)
			buf_printf(&b, ", %lld %s", number(doc, states[i].path), states[i].words);
	page_line("switches", buf_text(&b) != NULL ? buf_text(&b) : "");
	buf_free(&b);
	if (done < total)
		linef("first sweep", "%lld of %lld switches asked (%lld %%): what is missing below may only not have been looked at", done, total,
		    done * 100 / total);
	if (has(doc, "lastCompleteSweep"))
		line_of("last sweep", doc, "complete %a{lastCompleteSweep} ago, at %t{lastCompleteSweep} UTC");
	else
		page_line("last sweep", "none was complete yet");
}

/* What makers and restrictions are judged by, and how old that is. */
static void
status_lists(const json_t *doc)
{
	const json_t *files = value_at(doc, "registry"), *sets = value_at(doc, "policies");
	struct buf b = { 0 };

	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *f = json_array_get(files, i);
		const char *path = json_string_value(value_at(f, "path")), *slash = path != NULL ? strrchr(path, '/') : NULL;

		buf_printf(&b, "%s%s (", i > 0 ? ", " : "", slash != NULL ? slash + 1 : path != NULL ? path : "-");
		put_path(&b, f, "dated", FORM_AGE);
		buf_printf(&b, " old)");
	}
	page_line("registry", b.len > 0 && buf_text(&b) != NULL ? buf_text(&b) : "none: no maker can be told");
	buf_clear(&b);
	for (size_t i = 0; i < json_array_size(sets); i++) {
		const json_t *p = json_array_get(sets, i);

		put_bytes(&b, ", ", i > 0 ? 2 : 0);
		put_path(&b, p, "name", FORM_PLAIN);
		buf_printf(&b, " (of ");
		put_path(&b, p, "dated", FORM_PLAIN);
		buf_printf(&b, ", %lld rules)", number(p, "rules"));
	}
	page_line("policies", b.len > 0 && buf_text(&b) != NULL ? buf_text(&b) : "none: no device is restricted");
	buf_free(&b);
}

/* Those that anybody on the way can read or forge; the others need no attention. */
static void
status_credentials(const json_t *doc)
{
	enum { NAMED = 4 };
	const json_t *list = value_at(doc, "credentials");
	struct buf b = { 0 };
	size_t weak = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		if (!json_is_true(value_at(c, "weak")) || ++weak > NAMED)
			continue;
		put_bytes(&b, ", ", weak > 1 ? 2 : 0);
		put_path(&b, c, "name", FORM_PLAIN);
		buf_printf(&b, " (");
		put_path(&b, c, "why", FORM_PLAIN);
		buf_printf(&b, ", %lld switches)", number(c, "switches"));
	}
	if (weak > NAMED)
		buf_printf(&b, " and %zu more", weak - NAMED);
	if (weak > 0 && buf_text(&b) != NULL)
		linef("credentials", "%zu of %zu weak: %s", weak, json_array_size(list), buf_text(&b));
	buf_free(&b);
}

/* Processes in a line while all is well, one by one when it is not. */
static void
status_processes(const json_t *doc)
{
	static const struct small_column columns[] = { { "name", FORM_PLAIN, { "PROCESS", 0, 0 } }, { "state", FORM_PLAIN, { "STATE", 0, 0 } },
		{ "since", FORM_AGE, { "SINCE", 1, 0 } }, { "restarts", FORM_PLAIN, { "RESTARTS", 0, 0 } }, { "pid", FORM_PLAIN, { "PID", 2, 0 } } };
	const json_t *list = value_at(doc, "processes"), *one;
	size_t i, up = 0, restarts = 0;
	char text[64];

	json_array_foreach(list, i, one) {
		up += str_eq(json_string_value(json_object_get(one, "state")), "up");
		restarts += (size_t)json_integer_value(json_object_get(one, "restarts"));
	}
	if (up == json_array_size(list) && restarts == 0) {
		snprintf(text, sizeof text, "%zu up, no restarts", up);
		page_line("processes", text);
	} else
		small_table("Processes", list, columns, nitems(columns));
}

void
page_status(const json_t *doc)
{
	static const struct small_column receivers[] = { { "receiver", FORM_PLAIN, { "RECEIVER", 0, 0 } }, { "state", FORM_PLAIN, { "STATE", 0, 0 } },
		{ "queued", FORM_PLAIN, { "QUEUED", 0, 0 } }, { "oldest", FORM_AGE, { "OLDEST", 1, 0 } }, { "inFlight", FORM_PLAIN, { "IN FLIGHT", 4, 0 } },
		{ "delivered", FORM_PLAIN, { "DELIVERED", 1, 0 } }, { "timedOut", FORM_PLAIN, { "TIMED OUT", 2, 0 } },
		{ "refused", FORM_PLAIN, { "REFUSED", 3, 0 } }, { "type", FORM_PLAIN, { "TYPE", 5, 0 } },
		{ "lastFailure", FORM_PLAIN, { "LAST FAILURE", 2, 12 } } };
	char up[24];

	linef("agent", "%s, engine up %s", json_string_value(value_at(doc, "agent")), number(doc, "uptimeSeconds") == 0 ? "0 s" :
	    duration_words((uint64_t)number(doc, "uptimeSeconds") * 1000, up));
	status_switches(doc);
	line_of("devices", doc, "%{devices.present} present, %{devices.stale} stale, %{devices.gone} gone; %{devices.open} open");
	line_of("stations", doc, "%{stations}");
	if (has(doc, "latencyMs"))
		line_of("latency", doc, "%{latencyMs.p50} ms median, %{latencyMs.p99} ms p99, %{latencyMs.max} ms at most, of "
		    "%{latencyMs.count} notifications (seen to acknowledged)");
	if (str_eq(json_string_value(value_at(doc, "store")), "failing"))
		line_of("store", doc, "FAILING: %{counters.eventsInMemory} events wait in memory for the disk, and are sent from there");
	else
		page_line("store", json_string_value(value_at(doc, "store")));
	if (number(doc, "counters.eventsDropped") > 0)
		line_of("dropped", doc, "%{counters.eventsDropped} events that found no room in memory");
	if (str_eq(json_string_value(value_at(doc, "reload.result")), "refused"))
		line_of("reload", doc, "REFUSED %a{reload.at} ago, the configuration before it stays in force: %{reload.why}");
	line_of("polling", doc, "%{counters.poller.requests} requests, %{counters.poller.timeouts} timed out; dropped: %{counters.poller.strays} "
	    "stray, %{counters.poller.mismatched} mismatched, %{counters.poller.malformed} malformed");
	if (number(doc, "counters.poller.replaced") > 0)
		line_of("engines", doc, "%{counters.poller.replaced} times a switch answered with another SNMPv3 engine ID than before");
	line_of("counters", doc, "%{counters.reports} reports (%{counters.reportsDropped} dropped, %{counters.resyncs} asked for again), "
	    "%{counters.events} events, %{counters.alarmsInFloods} in floods, %{counters.storeFailures} store failures");
	if (number(doc, "counters.stationsRefused") > 0 || number(doc, "counters.rowsRefused") > 0)
		line_of("refused", doc, "%{counters.stationsRefused} stations (too many), %{counters.rowsRefused} rows");
	if (number(doc, "counters.reportsRefused") > 0 || number(doc, "counters.tablesForgotten") > 0 || number(doc, "counters.poller.untold") > 0)
		line_of("left out", doc, "%{counters.reportsRefused} polls of switches that had restarted or moved to another address, %{counters.poller.untold} with too "
		    "many rows to tell, %{counters.tablesForgotten} times what was left of incomplete tables");
	if (number(doc, "counters.messagesDropped") > 0 || number(doc, "counters.answersStray") > 0)
		line_of("messages", doc, "of our own processes: %{counters.messagesDropped} dropped, %{counters.answersStray} answers about nothing in "
		    "flight");
	if (number(doc, "counters.outboxRowsLate") > 0)
		line_of("late", doc, "%{counters.outboxRowsLate} notifications wait for the next start: there was no memory for them");
	if (number(doc, "counters.conflictsUntold") > 0)
		line_of("conflicts", doc, "%{counters.conflictsUntold} were not told one by one: their switch has too many of them");
	status_lists(doc);
	status_credentials(doc);
	line_of("identity", doc, "engine ID %{engineId}, epoch %{epoch}");
	status_processes(doc);
	small_table("Receivers of notifications", value_at(doc, "outbox"), receivers, nitems(receivers));
}

void
page_switches_end(const json_t *list)
{
	static const char *const states[] = { "ok", "unreachable", "auth-failed", "incomplete", "never" };
	size_t count[nitems(states)] = { 0 }, all = json_array_size(list);

	for (size_t i = 0; i < all; i++)
		for (size_t k = 0; k < nitems(states); k++)
			count[k] += str_eq(json_string_value(json_object_get(json_array_get(list, i), "state")), states[k]);
	if (all < 2)
		return;
	printf("%zu switches: %zu ok", all, count[0]);
	for (size_t k = 1; k + 1 < nitems(states); k++)
		if (count[k] > 0)
			printf(", %zu %s", count[k], states[k]);
	if (count[4] > 0)
		printf("; first sweep: %zu not asked yet", count[4]);
	putchar('\n');
}

/* ---- one device, one station */

static const struct small_column history_columns[] = { { "from", FORM_TIME, { "FROM (UTC)", 0, 0 } }, { "to", FORM_TIME, { "TO (UTC)", 0, 0 } },
	{ "switch", FORM_PLAIN, { "SWITCH", 0, 0 } }, { "port", FORM_PLAIN, { "PORT", 0, 0 } }, { "ifIndex", FORM_PLAIN, { "IFINDEX", 2, 0 } },
	{ "vlan", FORM_PLAIN, { "VLAN", 1, 0 } }, { "alias", FORM_PLAIN, { "ALIAS", 3, 8 } } };
static const struct small_column candidate_columns[] = { { "switch", FORM_PLAIN, { "SWITCH", 0, 0 } }, { "port", FORM_PLAIN, { "PORT", 0, 0 } },
	{ "ifIndex", FORM_PLAIN, { "IFINDEX", 2, 0 } }, { "vlan", FORM_PLAIN, { "VLAN", 1, 0 } }, { "alias", FORM_PLAIN, { "ALIAS", 3, 8 } } };

static void
place_print(const json_t *o, bool gone)
{
	if (has(o, "location.switch"))
		line_of(gone ? "was at" : "place", o, has(o, "location.alias") ?
		    "%{location.switch} port %{location.port} \"%{location.alias}\" (ifIndex %{location.ifIndex}, VLAN %{location.vlan})" :
		    "%{location.switch} port %{location.port} (ifIndex %{location.ifIndex}, VLAN %{location.vlan})");
	else
		page_line(gone ? "was at" : "place", "unknown");
	line_of("certainty", o, "%{location.verdict} (%{location.reasonCode}): %{location.reason}");
	line_of("first seen", o, "%t{firstSeen} UTC, %a{firstSeen} ago");
	line_of("last seen", o, "%t{lastSeen} UTC, %a{lastSeen} ago");
}

static void
places_print(const json_t *o)
{
	small_table("It may be at", value_at(o, "location.candidates"), candidate_columns, nitems(candidate_columns));
	small_table("Where it was before", value_at(o, "history"), history_columns, nitems(history_columns));
}

void
page_device(const json_t *doc)
{
	static const struct small_column evidence[] = { { "source", FORM_PLAIN, { "SOURCE", 0, 0 } }, { "key", FORM_PLAIN, { "KEY", 1, 0 } },
		{ "value", FORM_PLAIN, { "VALUE", 2, 20 } }, { "at", FORM_TIME, { "AT (UTC)", 3, 0 } } };
	const json_t *d = json_object_get(doc, "device");
	bool gone = str_eq(json_string_value(value_at(d, "presence")), "gone");

	line_of("device", d, "%{id}, %{mac}, %{vendor}");
	line_of("state", d, "%{presence}, %{handling}, %{severity}, %{origin}");
	place_print(d, gone);
	line_of("site", d, "%{site}");
	line_of("IP", d, "%{ip}");
	line_of("restricted", d, "%{confidence}, by %{policies}: %{makerReason}");
	if (json_is_true(value_at(d, "conflict")))
		page_line("conflict", "the registry and the device's own words name different makers");
	if (has(d, "waiver"))
		line_of("waived", d, "until %t{waiver.until} UTC by %{waiver.by}: %{waiver.reason}");
	small_table("Evidence", value_at(d, "evidence"), evidence, nitems(evidence));
	places_print(d);
}

void
page_station(const json_t *s)
{
	static const struct small_column sightings[] = { { "switch", FORM_PLAIN, { "SWITCH", 0, 0 } }, { "port", FORM_PLAIN, { "PORT", 0, 0 } },
		{ "ifIndex", FORM_PLAIN, { "IFINDEX", 2, 0 } }, { "vlan", FORM_PLAIN, { "VLAN", 1, 0 } },
		{ "source", FORM_PLAIN, { "TABLE", 3, 0 } } };
	bool gone = str_eq(json_string_value(value_at(s, "presence")), "gone");

	line_of("station", s, "%{mac}, %{vendor}");
	if (has(s, "detectionId"))
		line_of("restricted", s, "device %{detectionId}, %{presence}: camtrapctl device %{detectionId} says why");
	place_print(s, gone);
	small_table("Switches that show it", value_at(s, "sightings"), sightings, nitems(sightings));
	places_print(s);
}

/* ---- orders */

void
page_poll(const json_t *doc)
{
	const json_t *states = json_object_get(doc, "states"), *count;
	const char *state;

	if (states != NULL) {
		line_of("switches", doc, "%{switches}");
		json_object_foreach((json_t *)states, state, count)
			linef(state, "%lld", (long long)json_integer_value(count));
	} else {
		line_of("switch", doc, "%{switch}");
		line_of("state", doc, "%{state}");
	}
	line_of("took", doc, "%{milliseconds} ms, %{rows} FDB rows");
	if (has(doc, "why"))
		line_of("why", doc, "%{why}");
}

void
page_test(const json_t *doc)
{
	line_of("receiver", doc, "%{receiver}");
	line_of("result", doc, "%{result}");
	line_of("took", doc, "%{milliseconds} ms");
	line_of("event", doc, "%{eventId}");
	if (has(doc, "why"))
		line_of("why", doc, "%{why}");
}

void
page_event(const json_t *e)
{
	const char *severity = json_string_value(value_at(e, "severity"));
	struct buf b = { 0 };

	if (severity == NULL)
		severity = "-";
	put_path(&b, e, "at", FORM_TIME);
	word_print(buf_text(&b) != NULL ? buf_text(&b) : "", stdout, false);
	fputs("  ", stdout);
	word_print(severity, stdout, terminal_colour());
	printf("%*s", (int)(strlen(severity) < 8 ? 10 - strlen(severity) : 2), "");
	buf_clear(&b);
	put_path(&b, e, "text", FORM_PLAIN);
	word_print(buf_text(&b) != NULL ? buf_text(&b) : "", stdout, false);
	putchar('\n');
	buf_free(&b);
}

void
page_topology_end(const json_t *doc)
{
	const json_t *spots = json_object_get(doc, "blindSpots");
	size_t links = json_array_size(json_object_get(doc, "links")), n = json_array_size(spots);

	if (n > 0)
		printf("%sBlind spots\n", links > 0 ? "\n" : "");
	for (size_t i = 0; i < n; i++)
		page_line(" ", json_string_value(json_object_get(json_array_get(spots, i), "text")));
	printf("\n%zu link%s, %zu blind spot%s\n", links, links == 1 ? "" : "s", n, n == 1 ? "" : "s");
	if (number(doc, "omitted.links") + number(doc, "omitted.blindSpots") > 0)
		printf("(left out: %lld links, %lld blind spots; name a switch to see its own)\n", number(doc, "omitted.links"),
		    number(doc, "omitted.blindSpots"));
}
