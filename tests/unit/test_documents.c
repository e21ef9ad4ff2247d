/* tests/unit/test_documents.c: devices and events as JSON, and the filters on them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "model/detection.h"
#include "views/documents.h"

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

static void
a_device_has_the_shape_of_the_contract(void **state)
{
	static const char *const keys[] = { "id", "mac", "vendor", "policies", "presence", "handling", "origin", "confidence", "severity",
		"evidence", "location", "site", "ip", "firstSeen", "lastSeen", "waiver" };
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
	struct filter f;

	(void)state;
	assert_null(filter_read(NULL, &f));
	assert_true(filter_device(&f, &d));
	assert_null(filter_read(o, &f));
	assert_true(filter_device(&f, &d));
	json_object_set_new(o, "switch", json_string("sw-2"));
	assert_null(filter_read(o, &f));
	assert_false(filter_device(&f, &d));
	json_object_set_new(o, "presence", json_string("here"));
	assert_non_null(filter_read(o, &f));
	json_object_set_new(o, "presence", json_null());
	json_object_set_new(o, "since", json_string("yesterday"));
	assert_non_null(filter_read(o, &f));
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_has_the_shape_of_the_contract), cmocka_unit_test(an_event_says_null_for_what_is_not_known),
		cmocka_unit_test(filters_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
