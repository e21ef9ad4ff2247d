/* tests/unit/test_check.c: check_camtrapd: ranges as the Monitoring Plugins mean them, documents to a state and a line, and what
 * devices say never becomes more than text (D1, D2). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "check/modes.h"

#define NOW "2026-11-24T12:00:00.000Z"

/* ---- ranges */

static const struct { const char *text; double quiet[3], loud[3]; } good_ranges[] = {
	{ "10", { 0, 10, 5.5 }, { -1, 11, 10.01 } }, { "10:", { 10, 11, 1e9 }, { 9, 0, -1 } }, { "~:10", { -1e9, 0, 10 }, { 11, 10.5, 1e9 } },
	{ "10:20", { 10, 15, 20 }, { 9, 21, -15 } }, { "@10:20", { 9, 21, -15 }, { 10, 15, 20 } }, { "0", { 0, 0, 0 }, { 1, -1, 0.5 } },
	{ "0:", { 0, 1, 1e9 }, { -1, -0.5, -1e9 } }, { "~:", { 0, -1e9, 1e9 }, { 0 } }, { "@~:", { 0 }, { 0, -1e9, 1e9 } },
	{ "-10:-5", { -10, -7, -5 }, { -11, -4, 0 } }, { "1.5:2.5", { 1.5, 2, 2.5 }, { 1.4, 2.6, 0 } }, { "@5", { 6, -1, 100 }, { 0, 5, 3 } },
	{ "5:5", { 5, 5, 5 }, { 4, 6, 0 } }, { "@~:0", { 1, 2, 0.1 }, { 0, -1, -1e9 } },
};

static void
ranges_alert_outside_and_with_an_at_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(good_ranges); i++) {
		struct range r = { 0 };

		print_message("%s\n", good_ranges[i].text);
		assert_int_equal(range_parse(good_ranges[i].text, &r), 0);
		assert_string_equal(r.text, good_ranges[i].text);
		for (size_t k = 0; k < 3; k++) {
			if (strcmp(good_ranges[i].text, "@~:") != 0)
				assert_false(range_alerts(&r, good_ranges[i].quiet[k]));
			if (strcmp(good_ranges[i].text, "~:") != 0)
				assert_true(range_alerts(&r, good_ranges[i].loud[k]));
		}
	}
}

static void
what_is_no_range_is_refused(void **state)
{
	static const char *const bad[] = { "", "@", ":", "~", "x", "10:x", "x:10", "10:20:30", "10::", "1,5", "1.", ".5", "1e3", "0x10", "inf", "nan", " 10",
		"10 ", "+1", "--1", "-", "@@1", "10:~", "~10", "1@:2", "10|a=1", "10;20", ":10", ":10:", "@:", "1:2@", "$ARG1$", "111111111111111111111111111111111111111111" };
	struct range r = { .text = "kept" };

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		print_message("\"%s\"\n", bad[i]);
		assert_int_equal(range_parse(bad[i], &r), -EINVAL);
	}
	assert_int_equal(range_parse("20:10", &r), -ERANGE);
	assert_int_equal(range_parse("-1", &r), -ERANGE);	/* 0 to -1 */
	assert_string_equal(r.text, "kept");
	assert_false(range_alerts(&(struct range){ 0 }, 1e9));
	r = range_above(3);
	assert_string_equal(r.text, "3");
	assert_false(range_alerts(&r, 3));
	assert_true(range_alerts(&r, 4));
}

/* ---- documents */

static json_t *
json(const char *text)
{
	json_error_t e;
	json_t *o = json_loads(text, 0, &e);

	if (o == NULL)
		fail_msg("%s at %d in %s", e.text, e.position, text);
	return o;
}

/* Sets the member at "a.b" or "list.0.c" to the JSON value `text`; "-" takes it out. */
static void
set(json_t *o, const char *path, const char *text)
{
	char copy[100], *save = NULL, *key;

	snprintf(copy, sizeof copy, "%s", path);
	for (key = strtok_r(copy, ".", &save);; key = strtok_r(NULL, ".", &save)) {
		if (*save == '\0')
			break;
		o = isdigit((unsigned char)*key) ? json_array_get(o, (size_t)(*key - '0')) : json_object_get(o, key);
		assert_non_null(o);
	}
	if (strcmp(text, "-") == 0)
		json_object_del(o, key);
	else
		json_object_set_new(o, key, json_loads(text, JSON_DECODE_ANY, NULL));
}

/* `changes`: "path=value path=value"; values have no blanks. */
static void
change(json_t *o, const char *changes)
{
	char copy[600], *save = NULL;

	snprintf(copy, sizeof copy, "%s", changes);
	for (char *one = strtok_r(copy, " ", &save); one != NULL; one = strtok_r(NULL, " ", &save)) {
		char *value = strchr(one, '=');

		*value++ = '\0';
		set(o, one, value);
	}
}

static json_t *
status_document(void)
{
	return json("{\"version\":1,\"agent\":\"noc-1\",\"uptimeSeconds\":7200,\"processes\":["
	    "{\"name\":\"engine\",\"state\":\"up\",\"restarts\":0,\"looping\":false},"
	    "{\"name\":\"poller:0\",\"state\":\"up\",\"restarts\":2,\"looping\":false}],\"reload\":null,"
	    "\"switches\":{\"total\":3,\"ok\":3,\"unreachable\":0,\"authFailed\":0,\"incomplete\":0,\"never\":0},"
	    "\"firstSweep\":{\"done\":3,\"total\":3},\"pollIntervalSeconds\":300,\"lastPoll\":\"2026-11-24T11:59:48.000Z\","
	    "\"lastCompleteSweep\":\"2026-11-24T11:56:00.000Z\",\"outbox\":["
	    "{\"receiver\":\"noc\",\"type\":\"inform\",\"queued\":0,\"inFlight\":0,\"state\":\"up\",\"delivered\":7,\"timedOut\":1,\"refused\":0,"
	    "\"expired\":0,\"oldest\":null,\"lastFailure\":null}],"
	    "\"registry\":[{}],\"policies\":[{}],\"store\":\"ok\"}");
}

static json_t *
device(int id, const char *vendor, const char *port)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:s, s:s, s:{s:s, s:s, s:s, s:n}}", "id", id, "mac", "44:19:b6:01:02:03",
	    "vendor", vendor, "presence", "present", "handling", "open", "origin", "new", "severity", "critical", "site", "hq", "ip", "firstSeen",
	    "2026-11-24T11:00:00.000Z", "arrivedAt", "2026-11-24T11:00:00.000Z", "location", "verdict", "access", "switch", "acc-1", "port", port,
	    "alias");
}

static json_t *
devices_document(int n)
{
	json_t *list = json_array();

	for (int i = 1; i <= n; i++)
		json_array_append_new(list, device(i, "Hikvision", "Gi1/0/5"));
	return json_pack("{s:i, s:o}", "version", 1, "devices", list);
}

static json_t *
switches_document(int n)
{
	json_t *list = json_array();

	for (int i = 1; i <= n; i++)
		json_array_append_new(list, json_pack("{s:s+, s:s, s:s, s:s, s:s, s:n, s:i}", "name", "acc-", i == 1 ? "1" : i == 2 ? "2" : "n", "site",
		    i == 1 ? "hq" : "depot", "state", "ok", "lastPoll", "2026-11-24T11:58:00.000Z", "lastComplete", "2026-11-24T11:58:00.000Z", "error",
		    "pollIntervalSeconds", 300));
	return json_pack("{s:i, s:o}", "version", 1, "switches", list);
}

/* `asked`: "w=10 c=@1:5 W=60 C=600 site=hq cycles=2 since=1h". */
static struct question
question(const char *asked)
{
	static char copy[200];
	struct question q = { .cycles = 2, .since_ms = 86400000 };
	char *save = NULL;

	assert_int_equal(wall_parse(NOW, &q.now), 0);
	snprintf(copy, sizeof copy, "%s", asked);
	for (char *one = strtok_r(copy, " ", &save); one != NULL; one = strtok_r(NULL, " ", &save)) {
		char *value = strchr(one, '=') + 1;
		struct range *r = *one == 'w' ? &q.warning : *one == 'W' ? &q.warning_age : *one == 'C' ? &q.critical_age : &q.critical;

		if (strncmp(one, "site", 4) == 0)
			q.site = value;
		else if (strncmp(one, "cycles", 6) == 0)
			q.cycles = (unsigned)strtoul(value, NULL, 10);
		else if (strncmp(one, "since", 5) == 0)
			assert_int_equal(duration_parse(value, &q.since_ms), 0);
		else
			assert_int_equal(range_parse(value, r), 0);
	}
	return q;
}

/* What is printed; the caller frees it. *code is the exit code. */
static char *
judged(const char *mode, const char *asked, const json_t *status, const json_t *devices, const json_t *switches, int *code)
{
	const struct mode *m = mode_named(mode);
	struct question q = question(asked);
	unsigned wants;
	struct documents d = { 0 };
	struct result r = { 0 };
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(m);
	wants = mode_wants(m, &q);
	d.status = (wants & DOCUMENT_STATUS) != 0 ? status : NULL;
	d.devices = (wants & DOCUMENT_DEVICES) != 0 ? devices : NULL;
	d.switches = (wants & DOCUMENT_SWITCHES) != 0 ? switches : NULL;
	mode_judge(m, &q, &d, &r);
	*code = result_print(&r, true, f);
	result_free(&r);
	fclose(f);
	return text;
}

/* Changes in the documents, the state, and what its first line has in it. */
static const struct { const char *mode, *asked, *status, *devices, *switches; int code; const char *says; } cases[] = {
	{ "alive", "", "", "", "", 0, "CAMTRAPD OK: noc-1 is up 2 h, 2 processes, 3 switches, last poll 12 s ago, last complete sweep 4 min ago | "
	    "processes_down=0;0;;0 restarts=2c state_age=12s;;600;0 uptime=7200s switches=3" },
	{ "alive", "", "processes.1.state=\"waiting\"", "", "", 1, "WARNING: poller:0 is waiting; " },
	{ "alive", "", "processes.1.looping=true", "", "", 2, "CRITICAL: poller:0 keeps ending; " },
	{ "alive", "", "processes=[]", "", "", 3, "UNKNOWN: which processes" },
	{ "alive", "", "store=\"failing\"", "", "", 2, "database cannot be written" },
	{ "alive", "", "reload={\"result\":\"refused\"}", "", "", 1, "configuration is refused" },
	{ "alive", "", "reload={\"result\":\"ok\"}", "", "", 0, "OK" },
	{ "alive", "", "policies=[]", "", "", 1, "no policy" },
	{ "alive", "", "registry=[]", "", "", 1, "no registry" },
	{ "alive", "", "switches.total=0 pollIntervalSeconds=null", "", "", 1, "no switch is configured" },
	{ "alive", "", "lastPoll=\"2026-11-24T11:50:00.000Z\"", "", "", 0, "last poll 10 min ago" },
	{ "alive", "", "lastPoll=\"2026-11-24T11:49:59.000Z\"", "", "", 2, "the last poll was answered 10 min ago" },
	{ "alive", "cycles=3", "lastPoll=\"2026-11-24T11:49:59.000Z\"", "", "", 0, "state_age=601s;;900;0" },
	{ "alive", "w=10", "", "", "", 1, "state_age=12s;10;600;0" },
	{ "alive", "w=5 c=10", "", "", "", 2, "state_age=12s;5;10;0" },
	{ "alive", "", "lastPoll=\"2026-11-23T11:50:00.000Z\" uptimeSeconds=5 firstSweep.done=0", "", "", 1, "answered 1 d ago; noc-1 is up 5 s, 2 processes, 3 switches, first sweep 0 of 3" },
	{ "alive", "c=10", "uptimeSeconds=30", "", "", 2, "state_age=12s;;10;0" },
	{ "alive", "", "lastPoll=null uptimeSeconds=5", "", "", 1, "no poll was answered yet" },
	{ "alive", "", "lastPoll=null", "", "", 2, "no poll was answered yet" },
	{ "alive", "", "lastPoll=\"2026-11-24T13:00:00.000Z\"", "", "", 3, "the clock was set back" },
	{ "alive", "", "lastPoll=\"yesterday\"", "", "", 3, "no lastPoll" },

	{ "present", "", "", "devices=[]", "", 0, "CAMTRAPD OK: no restricted device is present (3 switches) | devices=0;0;;0 open=0;;0;0 acknowledged=0 waived=0 stale=0" },
	{ "present", "", "", "", "", 2, "CRITICAL: 2 restricted devices present, 2 open (3 switches): 44:19:b6:01:02:03 Hikvision at acc-1 Gi1/0/5, " },
	{ "present", "", "", "devices.0.handling=\"acknowledged\"", "", 2, "2 restricted devices present, 1 open" },
	{ "present", "", "", "devices.0.handling=\"acknowledged\" devices.1.handling=\"acknowledged\"", "", 1, "open=0;;0;0 acknowledged=2" },
	{ "present", "", "", "devices.0.handling=\"waived\" devices.1.handling=\"waived\"", "", 0, "no restricted device is present, 2 waived" },
	{ "present", "", "", "devices.0.handling=\"removed\" devices.1.presence=\"gone\"", "", 0, "devices=0" },
	{ "present", "", "", "devices.0.presence=\"stale\" devices.1.presence=\"gone\"", "", 2, "1 restricted device present, 1 open, 1 on switches that cannot be asked" },
	{ "present", "w=1 c=2", "", "", "", 1, "devices=2;1;2;0 open=2 acknowledged=0" },
	{ "present", "c=1", "", "", "", 2, "devices=2;;1;0" },
	{ "present", "w=2", "", "", "", 0, "devices=2;2;;0" },
	{ "present", "c=1:", "", "devices=[]", "", 2, "devices=0;;1:;0" },
	{ "present", "", "switches.ok=1", "devices=[]", "", 0, "(2 of 3 switches not read completely)" },
	{ "present", "", "lastPoll=\"2026-11-24T11:49:59.000Z\"", "devices=[]", "", 3, "what is known is old: no poll was answered for 2 poll intervals" },
	{ "present", "", "lastPoll=\"2026-11-24T11:49:59.000Z\"", "", "", 2, "what is known is old" },
	{ "present", "", "lastPoll=null", "devices=[]", "", 3, "what is known is old" },
	{ "present", "", "switches.total=0 pollIntervalSeconds=null", "devices=[]", "", 3, "no switch is configured" },
	{ "present", "site=hq", "", "devices=[]", "", 0, "(1 switch)" },
	{ "present", "site=hq", "", "devices=[]", "switches.0.lastComplete=null", 3, "what is known is old: no poll was complete for 2 poll intervals; no restricted device is present (1 of 1 switch not read completely)" },
	{ "present", "site=depot", "", "devices=[]", "switches.1.lastComplete=null", 0, "(1 of 2 switches not read completely)" },
	{ "present", "site=nowhere", "", "devices=[]", "", 3, "no switch is of the site nowhere" },
	{ "present", "", "", "devices.0.location.verdict=\"beyond-uplink\" devices.1.location.switch=null", "", 2, "Hikvision, place not known, 44:19:b6:01:02:03 Hikvision beyond acc-1 Gi1/0/5" },
	{ "present", "", "", "devices.0.vendor=null devices.1.location.port=null", "", 2, "at acc-1 port not known, 44:19:b6:01:02:03 of an unknown maker at" },

	{ "new", "", "", "", "", 2, "CRITICAL: 2 new restricted devices within 1 d (3 switches): 44" },
	{ "new", "", "", "devices=[]", "", 0, "CAMTRAPD OK: no new restricted device within 1 d (3 switches) | new=0;;0;0 gone=0" },
	{ "new", "since=30m", "", "", "", 0, "new=0" },
	{ "new", "since=1h", "", "", "", 2, "new=2" },
	{ "new", "", "", "devices.0.handling=\"acknowledged\" devices.1.origin=\"existing\"", "", 0, "new=0" },
	{ "new", "", "", "devices.0.handling=\"waived\" devices.1.origin=\"policy\"", "", 0, "new=0" },
	{ "new", "", "", "devices.0.presence=\"gone\"", "", 2, "new=2;;0;0 gone=1" },
	{ "new", "since=30m", "", "devices.0.origin=\"returned\" devices.0.arrivedAt=\"2026-11-24T11:40:00.000Z\"", "", 2, "1 new restricted device" },
	{ "new", "", "", "devices.0.origin=\"returned\" devices.0.arrivedAt=\"2026-11-20T11:40:00.000Z\" devices.1.arrivedAt=\"2026-11-20T11:40:00.000Z\"", "", 0, "new=0" },
	{ "new", "", "", "devices.0.arrivedAt=null devices.1.arrivedAt=\"2027-01-01T00:00:00.000Z\"", "", 2, "new=2" },
	{ "new", "w=0", "", "", "", 1, "new=2;0;;0" },
	{ "new", "", "lastPoll=null", "devices=[]", "", 3, "what is known is old" },

	{ "staleness", "", "", "", "", 0, "CAMTRAPD OK: 3 switches polled completely within 2 poll intervals, the longest ago 2 min | stale=0;0;0;0 unreachable=0 auth_failed=0 "
	    "incomplete=0 never=0 switches=3 oldest=120s" },
	{ "staleness", "w=1 c=2", "", "", "switches.0.lastComplete=null", 0, "1 of 3 switches not polled completely" },
	{ "staleness", "", "", "", "switches.0.lastComplete=\"2026-11-24T11:40:00.000Z\" switches.0.state=\"unreachable\"", 2, "within 2 poll intervals: acc-1 unreachable | stale=1;0;0;0 unreachable=1" },
	{ "staleness", "w=0 c=1", "", "", "switches.0.lastComplete=\"2026-11-24T11:40:00.000Z\" switches.0.state=\"auth-failed\"", 1, "acc-1 auth-failed" },
	{ "staleness", "", "", "", "switches.0.lastComplete=\"2026-11-24T11:40:00.000Z\"", 2, "acc-1 late" },
	{ "staleness", "cycles=4", "", "", "switches.0.lastComplete=\"2026-11-24T11:40:00.000Z\"", 0, "oldest=1200s" },
	{ "staleness", "", "", "", "switches.0.lastComplete=\"2026-11-24T13:40:00.000Z\"", 2, "stale=1" },
	{ "staleness", "", "uptimeSeconds=5", "", "switches.0.lastComplete=null switches.0.state=\"never\"", 0, "2 switches polled completely within 2 poll intervals, the longest ago 2 min, 1 not asked yet" },
	{ "staleness", "", "", "", "switches.0.lastComplete=null switches.0.state=\"never\"", 2, "acc-1 never" },
	{ "staleness", "site=hq", "uptimeSeconds=5", "", "switches.0.lastComplete=null switches.0.state=\"never\"", 3, "1 not asked yet" },
	{ "staleness", "site=hq", "", "", "switches.1.lastComplete=null", 0, "switches=1" },
	{ "staleness", "site=nowhere", "", "", "", 3, "no switch is of the site nowhere" },
	{ "staleness", "", "", "", "switches=[]", 3, "no switch is configured" },

	{ "outbox", "", "", "", "", 0, "CAMTRAPD OK: nothing waits for 1 receiver, 7 delivered | queued=0;100;1000;0 oldest=0s;60;600;0 receivers_down=0;0;;0 in_flight=0 "
	    "delivered=7c timed_out=1c refused=0c expired=0c" },
	{ "outbox", "", "outbox.0.queued=4 outbox.0.oldest=\"2026-11-24T11:59:30.000Z\"", "", "", 0, "4 notifications wait, the oldest for 30 s" },
	{ "outbox", "", "outbox.0.queued=4 outbox.0.oldest=\"2026-11-24T11:58:30.000Z\"", "", "", 1, "oldest=90s;60;600;0" },
	{ "outbox", "", "outbox.0.queued=1 outbox.0.oldest=\"2026-11-24T11:40:30.000Z\"", "", "", 2, "1 notification waits, the oldest for 19 min" },
	{ "outbox", "W=9999 C=9999", "outbox.0.queued=1 outbox.0.oldest=\"2026-11-24T11:40:30.000Z\"", "", "", 0, "oldest=1170s;9999;9999;0" },
	{ "outbox", "", "outbox.0.queued=101", "", "", 1, "101 notifications wait" },
	{ "outbox", "", "outbox.0.queued=1001", "", "", 2, "1001 notifications wait" },
	{ "outbox", "w=2 c=5", "outbox.0.queued=6", "", "", 2, "queued=6;2;5;0" },
	{ "outbox", "", "outbox.0.state=\"down\" outbox.0.lastFailure=\"time-out\"", "", "", 1, "WARNING: noc does not acknowledge: time-out; nothing waits" },
	{ "outbox", "", "outbox.0.lastFailure=\"digest\"", "", "", 1, "noc was told in vain: digest" },
	{ "outbox", "", "outbox.0.type=\"not@configured\"", "", "", 0, "1 receiver" },
	{ "outbox", "", "outbox.0.expired=3", "", "", 0, ", 3 expired" },
	{ "outbox", "", "outbox=[]", "", "", 1, "no receiver is configured" },
};

static void
each_state_of_the_daemon_has_its_state_and_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		json_t *status = status_document(), *devices = devices_document(2), *switches = switches_document(3);
		char *text;
		int code;

		change(status, cases[i].status);
		change(devices, cases[i].devices);
		change(switches, cases[i].switches);
		text = judged(cases[i].mode, cases[i].asked, status, devices, switches, &code);
		if (strstr(text, cases[i].says) == NULL || code != cases[i].code)
			fail_msg("case %zu, %s %s: %d, %s\nwanted %d, %s", i, cases[i].mode, cases[i].asked, code, text, cases[i].code, cases[i].says);
		free(text);
		json_decref(status), json_decref(devices), json_decref(switches);
	}
}

static void
what_waits_for_a_receiver_that_is_configured_no_more_is_told_and_does_not_alarm(void **state)
{
	json_t *status = status_document(), *orphan;
	char *text;
	int code;

	(void)state;
	orphan = json_deep_copy(json_array_get(json_object_get(status, "outbox"), 0));
	json_object_set_new(orphan, "type", json_string("not configured"));
	json_object_set_new(orphan, "queued", json_integer(5000));
	json_array_append_new(json_object_get(status, "outbox"), orphan);
	text = judged("outbox", "", status, NULL, NULL, &code);
	assert_int_equal(code, 0);
	assert_non_null(strstr(text, "5000 for receivers that are not configured any more"));
	free(text);
	json_decref(status);
}

/* Takes each member in turn out of the documents: either it was not looked at, or that it is not there is said. */
static void
each_without(const char *mode, const char *asked, json_t *documents[static 3], json_t *o)
{
	json_t *keys = json_array(), *key, *v;
	const char *name;
	size_t i;

	if (json_is_array(o))
		json_array_foreach(o, i, v)
			each_without(mode, asked, documents, v);
	json_object_foreach(o, name, v)
		json_array_append_new(keys, json_string(name));
	json_array_foreach(keys, i, key) {
		char *before, *text;
		int code;

		name = json_string_value(key);
		v = json_incref(json_object_get(o, name));
		before = judged(mode, asked, documents[0], documents[1], documents[2], &code);
		json_object_del(o, name);
		text = judged(mode, asked, documents[0], documents[1], documents[2], &code);
		if (strcmp(text, before) != 0 && (code != CHECK_UNKNOWN ||
		    strstr(text, "the answer of the daemon has no") == NULL))
			fail_msg("%s without %s: %d %s", mode, name, code, text);
		json_object_set(o, name, v);
		each_without(mode, asked, documents, v);
		json_decref(v);
		free(text), free(before);
	}
	json_decref(keys);
}

static void
an_answer_that_lacks_something_is_never_ok(void **state)
{
	static const struct { const char *mode, *asked; } asked[] = { { "alive", "" }, { "present", "" }, { "present", "site=hq" }, { "new", "" },
		{ "new", "site=hq" }, { "staleness", "" }, { "staleness", "site=hq" }, { "outbox", "" } };

	(void)state;
	for (size_t i = 0; i < nitems(asked); i++) {
		json_t *documents[] = { status_document(), devices_document(2), switches_document(2) }, *other = json("{\"version\":2}");
		char *text;
		int code;

		for (size_t k = 0; k < 3; k++)
			each_without(asked[i].mode, asked[i].asked, documents, documents[k]);
		text = judged(asked[i].mode, asked[i].asked, other, other, other, &code);
		assert_int_equal(code, CHECK_UNKNOWN);
		free(text);
		json_decref(other);
		for (size_t k = 0; k < 3; k++)
			json_decref(documents[k]);
	}
}

/* ---- hostile texts */

static const char *const hostile[] = {
	"Gi1/0/5|present=0;;;0", "x\nCAMTRAPD OK: nothing", "`reboot`", "$(reboot)", "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
	"a'; DROP TABLE", "\x1b[2J\x1b]0;title\x07", "\u202eevil", "\xff\xfe\xfd", "\r\nOK", "tab\there", "$HOSTADDRESS$", "$ARG1$", "%s%n%s%n",
	"\\n\\nOK | a=1", "&amp;", "~/x", "\xc2\x85next", "\xf0\x9f\x93\xb7 camera", "|||||||||||||||||||||||||||||||||||||", "",
};

/* Exactly one | per output, in the first line; no control characters, nothing that a shell, a browser or Nagios takes for more. */
static void
assert_harmless(const char *text, size_t lines_max)
{
	const char *bar = strstr(text, " | "), *end = strchr(text, '\n');
	size_t lines = 0;

	assert_non_null(end);
	assert_non_null(bar);
	assert_true(bar < end && bar - text <= 200);
	assert_ptr_equal(strchr(text, '|'), bar + 1);
	assert_null(strchr(bar + 2, '|'));
	assert_true(strlen(text) < 4096);
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		lines += *p == '\n';
		assert_true(*p >= ' ' || *p == '\n');
		assert_true(*p != 0x7f);
	}
	assert_null(strpbrk(text, "`$&<>'\"\\"));
	assert_true(lines <= lines_max);
	for (const char *p = bar + 3; p < end; p++)
		assert_true(isalnum((unsigned char)*p) || strchr("_=;:.@~- ", *p) != NULL);
}

static void
d1_d2_what_a_device_says_is_text_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(hostile); i++) {
		json_t *devices = devices_document(1), *switches = switches_document(1), *status = status_document(), *d, *sw, *o;
		json_t *evil = json_stringn_nocheck(hostile[i], strlen(hostile[i]));
		static const char *const modes[] = { "alive", "present", "new", "staleness", "outbox" };

		d = json_array_get(json_object_get(devices, "devices"), 0);
		sw = json_array_get(json_object_get(switches, "switches"), 0);
		o = json_array_get(json_object_get(status, "outbox"), 0);
		json_object_set(d, "vendor", evil), json_object_set(d, "mac", evil), json_object_set(d, "ip", evil), json_object_set(d, "site", evil);
		json_object_set(json_object_get(d, "location"), "port", evil), json_object_set(json_object_get(d, "location"), "alias", evil);
		json_object_set(json_object_get(d, "location"), "switch", evil), json_object_set(d, "severity", evil);
		json_object_set(sw, "name", evil), json_object_set(sw, "error", evil), json_object_set(sw, "site", evil);
		json_object_set_new(sw, "lastComplete", json_null());
		json_object_set(o, "lastFailure", evil), json_object_set(o, "receiver", evil);
		json_object_set(status, "agent", evil), json_object_set(json_array_get(json_object_get(status, "processes"), 0), "name", evil);
		json_object_set_new(json_array_get(json_object_get(status, "processes"), 0), "looping", json_true());
		for (size_t k = 0; k < nitems(modes); k++) {
			int code;
			char *text = judged(modes[k], "", status, devices, switches, &code);

			assert_harmless(text, 2);
			assert_true(code == CHECK_CRITICAL || strcmp(modes[k], "outbox") == 0);
			free(text);
		}
		json_decref(evil), json_decref(devices), json_decref(switches), json_decref(status);
	}
}

static void
much_is_cut_and_counted(void **state)
{
	json_t *devices = devices_document(500), *switches = json("{\"version\":1,\"switches\":[]}"), *status = status_document(), *d;
	char long_text[600], *text;
	size_t i;
	int code;

	(void)state;
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	json_array_foreach(json_object_get(devices, "devices"), i, d) {
		json_object_set_new(json_object_get(d, "location"), "alias", json_string(long_text));
		if (i == 77)
			json_object_set_new(d, "firstSeen", json_string("2026-11-24T11:59:59.000Z")), json_object_set_new(d, "vendor", json_string("Latest"));
	}
	text = judged("present", "", status, devices, switches, &code);
	assert_harmless(text, 2 + RESULT_LINES_MAX);
	assert_non_null(strstr(text, "500 restricted devices present, 500 open (3 switches): 44:19:b6:01:02:03 Latest at"));
	assert_non_null(strstr(text, "\nand 480 more\n"));
	free(text);
	json_decref(devices), json_decref(switches), json_decref(status);
}

static void
the_worse_state_stays(void **state)
{
	static const enum check_state order[] = { CHECK_OK, CHECK_WARNING, CHECK_UNKNOWN, CHECK_CRITICAL };

	(void)state;
	for (size_t i = 0; i < nitems(order); i++) {
		for (size_t k = 0; k < nitems(order); k++) {
			struct result r = { 0 };

			result_raise(&r, order[i]);
			result_raise(&r, order[k]);
			assert_int_equal(r.state, order[i > k ? i : k]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_alert_outside_and_with_an_at_inside), cmocka_unit_test(what_is_no_range_is_refused),
		cmocka_unit_test(each_state_of_the_daemon_has_its_state_and_its_line),
		cmocka_unit_test(what_waits_for_a_receiver_that_is_configured_no_more_is_told_and_does_not_alarm),
		cmocka_unit_test(an_answer_that_lacks_something_is_never_ok),
		cmocka_unit_test(d1_d2_what_a_device_says_is_text_and_nothing_else), cmocka_unit_test(much_is_cut_and_counted),
		cmocka_unit_test(the_worse_state_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
