/* tests/unit/test_documents.c: devices and events as JSON, and the filters on them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/detection.h"
#include "store/store.h"
#include "views/documents.h"
#include "views/stations.h"

static struct detection
camera(void)
{
	struct detection d = { .id = 7, .mac = { { 0x44, 0x19, 0xb6, 1, 2, 3 } }, .vendor = "Hikvision", .policies = "uk-2022,us-889",
		.presence = PRESENCE_PRESENT, .handling = HANDLING_OPEN, .origin = ORIGIN_NEW, .confidence = CONFIDENCE_CONFIRMED,
		.severity = SEVERITY_CRITICAL, .site = "north", .first_seen = { 1469918176385000 }, .n_evidence = 1 };

	d.location.verdict = VERDICT_ACCESS;
	d.location.reason = REASON_ACCESS_PORT;
	strcpy(d.location.place.switch_name, "sw-1");
	d.location.place.if_index = 12;
	strcpy(d.evidence[0].source, "registry");
	strcpy(d.evidence[0].key, "organisation");
	strcpy(d.evidence[0].value, "Hangzhou Hikvision");
	return d;
}

/* The version before had everything but `arrived`. */
static void
s4_a_detection_of_the_version_before_is_read(void **state)
{
	struct detection d = camera(), got;
	struct buf now = { 0 }, before = { 0 };
	struct msg_in in;
	static const uint8_t arrived[8] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08 };
	uint8_t *at;

	(void)state;
	d.since.us = 1469918176999000;
	d.arrived.us = 0x1122334455667708;
	detection_encode(&now, &d);
	at = memmem(now.p, now.len, arrived, sizeof arrived);
	assert_non_null(at);
	put_u8(&before, 2);
	put_bytes(&before, now.p + 1, (size_t)(at - now.p) - 1);
	put_bytes(&before, at + sizeof arrived, now.len - (size_t)(at - now.p) - sizeof arrived);
	in = msg_in_of(before.p, before.len);
	assert_int_equal(detection_decode(&in, &got), 0);
	assert_true(msg_in_done(&in));
	assert_true(got.arrived.us == d.since.us && got.since.us == d.since.us && got.n_evidence == 1 && strcmp(got.vendor, d.vendor) == 0);
	in = msg_in_of(now.p, now.len);
	assert_int_equal(detection_decode(&in, &got), 0);
	assert_true(got.arrived.us == d.arrived.us);
	buf_free(&now);
	buf_free(&before);
}

static void
a_device_has_the_shape_of_the_contract(void **state)
{
	static const char *const keys[] = { "id", "mac", "vendor", "policies", "presence", "handling", "origin", "confidence", "severity",
		"evidence", "location", "site", "ip", "firstSeen", "lastSeen", "arrivedAt", "waiver" };
	struct detection d = camera();
	json_t *o = device_json(&d), *l = json_object_get(o, "location");

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		assert_non_null(json_object_get(o, keys[i]));
	assert_string_equal(json_string_value(json_object_get(o, "mac")), "44:19:b6:01:02:03");
	assert_int_equal(json_array_size(json_object_get(o, "policies")), 2);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "policies"), 1)), "us-889");
	assert_string_equal(json_string_value(json_object_get(o, "firstSeen")), "2016-07-30T22:36:16.385Z");
	assert_true(json_is_null(json_object_get(o, "lastSeen")));
	assert_true(json_is_null(json_object_get(o, "ip")));
	assert_true(json_is_null(json_object_get(o, "waiver")));
	assert_string_equal(json_string_value(json_object_get(l, "verdict")), "access");
	assert_string_equal(json_string_value(json_object_get(l, "reasonCode")), "access-port");
	assert_int_equal(json_integer_value(json_object_get(l, "ifIndex")), 12);
	assert_true(json_is_null(json_object_get(l, "port")));
	assert_int_equal(json_array_size(json_object_get(l, "candidates")), 0);
	json_decref(o);
}

static void
an_event_says_null_for_what_is_not_known(void **state)
{
	struct event e = { .id = "01ARYZ6S41ZZZZZZZZZZZZZZZZ", .sequence = 3, .epoch = 1, .type = EVENT_HEARTBEAT, .severity = SEVERITY_INFO };
	json_t *o = event_json(&e);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(o, "type")), "heartbeat");
	assert_int_equal(json_integer_value(json_object_get(o, "sequence")), 3);
	assert_true(json_is_null(json_object_get(o, "mac")));
	assert_true(json_is_null(json_object_get(o, "detectionId")));
	assert_true(json_is_null(json_object_get(o, "presence")));
	json_decref(o);
}

static void
filters_choose(void **state)
{
	struct detection d = camera();
	json_t *o = json_pack("{s:s, s:s, s:s}", "site", "north", "vendor", "hik", "presence", "present");
	const struct wall now = { 1795505402000000 };
	struct filter f;

	(void)state;
	assert_null(filter_read(NULL, now, &f));
	assert_true(filter_device(&f, &d));
	assert_null(filter_read(o, now, &f));
	assert_true(filter_device(&f, &d));
	json_object_set_new(o, "switch", json_string("sw-2"));
	assert_null(filter_read(o, now, &f));
	assert_false(filter_device(&f, &d));
	json_object_set_new(o, "presence", json_string("here"));
	assert_non_null(filter_read(o, now, &f));
	json_object_set_new(o, "presence", json_null());
	json_object_set_new(o, "since", json_string("yesterday"));
	assert_non_null(filter_read(o, now, &f));
	json_decref(o);
}

static void
since_is_a_time_a_date_or_a_duration_back(void **state)
{
	static const struct { const char *text; int64_t us; } good[] = {
		{ "2026-11-24T00:21:11Z", 1795479671000000 }, { "2026-11-24t00:21:11z", 1795479671000000 },
		{ "2026-11-24T00:21:11.042Z", 1795479671042000 }, { "2026-11-24T01:21:11+01:00", 1795479671000000 },
		{ "2026-11-23T18:51:11-05:30", 1795479671000000 }, { "2026-11-24", 1795478400000000 },
		{ "1h", 1795505402000000 - 3600000000 }, { "30d", 1795505402000000 - 30ll * 86400000000 }, { "0s", 1795505402000000 },
	};
	static const char *const bad[] = { "", "yesterday", "-1h", "1 h", "h", "2026-02-31", "2026-13-01", "2026-11-24T00:21:11+1:00",
		"2026-11-24T00:21:11+25:00", "2026-11-24T00:21:11ZZ", "99999999d", " 2026-11-24", "26-11-24", "1969-12-31" };
	const struct wall now = { 1795505402000000 };
	struct wall t;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		print_message("%s\n", good[i].text);
		assert_int_equal(since_parse(good[i].text, now, &t), 0);
		assert_int_equal(t.us, good[i].us);
	}
	t.us = 7;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(since_parse(bad[i], now, &t), -EINVAL);
		assert_int_equal(t.us, 7);
	}
}

static void
a_find_is_asked_in_one_spelling(void **state)
{
	static const struct { const char *typed, *asked; } cases[] = {
		{ "44-19-B6-01-02-03", "44:19:b6:01:02:03" }, { "4419.b601.0203", "44:19:b6:01:02:03" }, { "0:c:29:1:2:3", "00:0c:29:01:02:03" },
		{ "2001:0DB8:0:0::7", "2001:db8::7" }, { "::ffff:10.20.0.77", "10.20.0.77" }, { "10.20.0.77", "10.20.0.77" },
		{ "b6:01", "b6:01" }, { "Hikvision", "Hikvision" }, { "", "" },
	};
	char asked[FIND_ARGUMENT];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		find_argument(cases[i].typed, asked);
		assert_string_equal(asked, cases[i].asked);
	}
}

/* A store with one camera on its second port, gone, and one present. */
static struct store *
store_with_cameras(char dir[static 64])
{
	struct store_opened opened;
	struct place at = { .switch_name = "sw-1", .if_index = 11, .port = "Gi1/0/11", .vlan = 20 };
	struct detection d = camera();
	struct store *s;

	snprintf(dir, 64, "%s", "/tmp/camtrapd-documents.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_open(&s, dir, (struct wall){ 1795505402000000 }, &opened), 0);
	assert_int_equal(store_begin(s), 0);
	d.presence = PRESENCE_GONE;
	assert_int_equal(store_detection_put(s, &d), 0);
	assert_int_equal(store_presence_put(s, d.id, &at, (struct wall){ 1469918176385000 }, (struct wall){ 1469918186385000 }), 0);
	d.id = 8;
	d.mac.b[5] = 4;
	d.presence = PRESENCE_PRESENT;
	assert_int_equal(store_detection_put(s, &d), 0);
	assert_int_equal(store_presence_put(s, d.id, &at, (struct wall){ 1469918176385000 }, (struct wall){ 1469918196385000 }), 0);
	assert_int_equal(store_commit(s), 0);
	return s;
}

static void
store_remove(struct store *s, const char *dir)
{
	char path[128];

	store_close(s);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/camtrapd.db%s", dir, (const char *[]){ "", "-wal", "-shm" }[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* What the engine says of two stations passes in pieces of `step` octets. */
static json_t *
joined(struct store *s, const char *argument, bool all, const char *document, size_t step)
{
	bool failed;
	struct stations *st = stations_new(s, argument, all, &failed);
	struct buf out = { 0 };
	json_t *o;

	assert_non_null(st);
	for (size_t at = 0; at < strlen(document); at += step)
		stations_piece(st, s, document + at, strlen(document + at) < step ? strlen(document + at) : step, &out);
	o = json_loadb((const char *)out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
	stations_free(st);
	buf_free(&out);
	return o;
}

static void
find_tells_the_history_of_restricted_devices(void **state)
{
	static const char document[] = "{\"version\":1,\"stations\":[{\"mac\":\"00:14:22:01:02:03\",\"vendor\":\"a]}{[, \\\"b\",\"location\":{\"x\":[]},"
	    "\"history\":[]},{\"mac\":\"44:19:b6:01:02:04\",\"vendor\":\"Hikvision\",\"location\":{},\"history\":[]}]}";
	char dir[64];
	struct store *s = store_with_cameras(dir);

	(void)state;
	for (size_t step = 1; step <= sizeof document; step = step * 2 + 1) {
		json_t *o = joined(s, "44:19:b6", false, document, step), *list = json_object_get(o, "stations"), *history;

		assert_non_null(o);
		assert_int_equal(json_array_size(list), 3);	/* the one that is gone is found, too */
		assert_int_equal(json_array_size(json_object_get(json_array_get(list, 0), "history")), 0);
		assert_null(json_object_get(json_array_get(list, 0), "detectionId"));
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "vendor")), "a]}{[, \"b");
		assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "detectionId")), 8);
		history = json_object_get(json_array_get(list, 1), "history");
		assert_int_equal(json_array_size(history), 1);
		assert_string_equal(json_string_value(json_object_get(json_array_get(history, 0), "port")), "Gi1/0/11");
		assert_string_equal(json_string_value(json_object_get(json_array_get(history, 0), "to")), "2016-07-30T22:36:36.385Z");
		assert_true(json_is_null(json_object_get(json_array_get(history, 0), "alias")));
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "mac")), "44:19:b6:01:02:03");
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "presence")), "gone");
		assert_int_equal(json_array_size(json_object_get(json_array_get(list, 2), "history")), 1);
		json_decref(o);
	}
	store_remove(s, dir);
}

static void
find_adds_only_what_was_asked_for(void **state)
{
	static const char none[] = "{\"version\":1,\"stations\":[]}", error[] = "{\"version\":1,\"error\":\"unknown command [{\"}";
	char dir[64];
	struct store *s = store_with_cameras(dir);
	const struct { const char *argument; bool all; size_t n; } cases[] = { { "44:19:b6:01:02:03", false, 1 }, { "hikv", false, 2 },
		{ "00:14:22", false, 0 }, { "", true, 0 }, { "010203", false, 1 }, { "10.20.0.1", false, 0 } };
	json_t *o;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		o = joined(s, cases[i].argument, cases[i].all, none, 5);
		assert_int_equal(json_array_size(json_object_get(o, "stations")), cases[i].n);
		json_decref(o);
	}
	o = joined(s, "44:19:b6", false, error, 3);
	assert_string_equal(json_string_value(json_object_get(o, "error")), "unknown command [{");
	json_decref(o);
	store_remove(s, dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s4_a_detection_of_the_version_before_is_read),
		cmocka_unit_test(a_device_has_the_shape_of_the_contract), cmocka_unit_test(an_event_says_null_for_what_is_not_known),
		cmocka_unit_test(filters_choose),
		cmocka_unit_test(since_is_a_time_a_date_or_a_duration_back), cmocka_unit_test(a_find_is_asked_in_one_spelling),
		cmocka_unit_test(find_tells_the_history_of_restricted_devices), cmocka_unit_test(find_adds_only_what_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
