/* tests/unit/test_engine_topology.c: the document `topology` of the network of engine_lab.h: links with both ends, and blind spots. */
#include <jansson.h>
#include <string.h>

#include "engine_lab.h"
#include "model/rows.h"

static json_t *doc;

static const json_t *
ask(const char *argument)
{
	json_decref(doc);
	lab_ask(1, "topology", argument);
	doc = json_loadb((const char *)lab.answer.p, lab.answer.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	return doc;
}

/* "a:Gi1 core:Gi1" of each link, sorted as they come; "" where nothing is known. */
static const char *
links(const char *argument)
{
	static char text[1024];
	const json_t *list = json_object_get(ask(argument), "links"), *l;
	size_t i, at = 0;

	text[0] = '\0';
	json_array_foreach(list, i, l) {
		static const char *const ends[] = { "a", "b" };

		for (size_t k = 0; k < 2; k++) {
			const json_t *e = json_object_get(l, ends[k]);
			const char *sw = json_string_value(json_object_get(e, "switch")), *port = json_string_value(json_object_get(e, "port"));

			at += (size_t)snprintf(text + at, sizeof text - at, "%s%s:%s", k > 0 ? "-" : i > 0 ? " " : "", sw != NULL ? sw : "", port != NULL ? port : "");
		}
	}
	return text;
}

/* The texts of the blind spots, one a line. */
static const char *
spots(const char *argument)
{
	static char text[4096];
	const json_t *list = json_object_get(ask(argument), "blindSpots"), *s;
	size_t i, at = 0;

	text[0] = '\0';
	json_array_foreach(list, i, s)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i > 0 ? "\n" : "", json_string_value(json_object_get(s, "text")));
	return text;
}

static void
each_link_is_told_once_with_both_ends_and_their_reasons(void **state)
{
	const json_t *end;

	(void)state;
	lab_sweep();
	lab_sweep();
	assert_string_equal(links(""), "a:Gi1-core:Gi1 b:Gi1-core:Gi2");
	end = json_object_get(json_array_get(json_object_get(doc, "links"), 1), "b");
	assert_string_equal(json_string_value(json_object_get(end, "reasonCode")), "uplink-neighbours-agree");
	assert_string_equal(json_string_value(json_object_get(end, "reason")), "towards b");
	assert_int_equal(json_integer_value(json_object_get(end, "ifIndex")), 2);
	assert_string_equal(spots(""), "");
	assert_string_equal(links("b"), "b:Gi1-core:Gi2");
	assert_non_null(json_object_get(ask("nobody"), "error"));
}

static void
two_cables_between_two_switches_are_told_apart_by_the_ports_they_name(void **state)
{
	(void)state;
	lab.said[0] = (struct said){ .sw = A, .port = 3, .chassis = lab_bridge[CORE], .port_id = "Gi4", .caps = CAP_BRIDGE };
	lab.said[1] = (struct said){ .sw = CORE, .port = 4, .chassis = lab_bridge[A], .port_id = "Gi3", .caps = CAP_BRIDGE };
	lab_sweep();
	lab_sweep();
	assert_string_equal(links("a"), "a:Gi1-core: a:Gi3-core:Gi4 core:Gi1-a:");
}

static void
an_uplink_by_configuration_has_an_end_that_nobody_knows(void **state)
{
	(void)state;
	lab.uplink[B] = "Gi7";
	lab_reconfigure();
	lab_sweep();
	assert_string_equal(links("b"), "b:Gi1-core:Gi2 b:Gi7-:");
}

static void
a_bridge_or_router_that_nobody_polls_is_a_blind_spot_and_nothing_else_is(void **state)
{
	static const struct said said[] = {
		{ .sw = A, .port = 5, .chassis = 0x00aa00000001, .name = "floor\n2\033[31m", .port_id = "Te1", .caps = CAP_BRIDGE | CAP_ROUTER },
		{ .sw = A, .port = 6, .chassis = 0x00aa00000002, .name = "phone", .caps = CAP_BRIDGE | CAP_TELEPHONE },
		{ .sw = A, .port = 7, .chassis = 0x00aa00000003, .name = "ap", .caps = CAP_BRIDGE | CAP_WLAN },
		{ .sw = A, .port = 8, .chassis = 0x4419b6000004, .name = "camera", .caps = CAP_STATION },
		{ .sw = B, .port = 5, .name = "rtr.example.org", .port_id = "Fa0", .cdp_caps = 0x01 },
		{ .sw = B, .port = 6, .name = "SEP001", .cdp_caps = 0x90 },
		{ .sw = B, .port = 7, .name = "air-ap", .cdp_caps = 0x02 },
	};

	(void)state;
	memcpy(lab.said, said, sizeof said);
	lab_sweep();
	assert_string_equal(spots(""), "beyond Gi5 of a, towards an unpolled switch 'floor 2[31m'\n"
	    "beyond Gi5 of b, towards an unpolled switch 'rtr.example.org'");
	assert_string_equal(spots("core"), "");
}

static void
the_same_neighbour_by_lldp_and_cdp_is_one_blind_spot(void **state)
{
	(void)state;
	lab.said[0] = (struct said){ .sw = A, .port = 5, .chassis = 0x00aa00000001, .name = "Floor2", .caps = CAP_BRIDGE };
	lab.said[1] = (struct said){ .sw = A, .port = 5, .name = "floor2.example.org", .cdp_caps = 0x08 };
	lab.said[2] = (struct said){ .sw = A, .port = 1, .name = "core.example.org", .cdp_caps = 0x08 };	/* is polled, by LLDP */
	lab_sweep();
	assert_string_equal(spots(""), "beyond Gi5 of a, towards an unpolled switch 'Floor2'");
}

static void
an_unpolled_switch_that_lies_between_is_named(void **state)
{
	const json_t *list;

	(void)state;
	lab_plug(0, LAPTOP, A, 5);
	lab_plug(1, LAPTOP + 1, B, 5);
	lab_sweep();
	list = json_object_get(ask("a"), "links");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "through")));
	lab.said[0] = (struct said){ .sw = A, .port = 1, .chassis = 0x00aa00000001, .name = "between", .caps = CAP_BRIDGE };
	lab_poll(A);				/* the core is heard there, too: they are on one segment */
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(ask("a"), "links"), 0), "through")));
	lab.deaf = true;
	lab_sweep();
	lab_later(60000);
	lab_sweep();
	list = json_object_get(ask("a"), "links");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "through")), "between");
}

static void
silent_and_lonely_switches_are_blind_spots(void **state)
{
	(void)state;
	lab_poll(CORE);
	lab_poll(A);
	assert_string_equal(spots("b"), "b was not polled yet");
	lab_report(B, SWITCH_UNREACHABLE, 1);
	assert_string_equal(spots("b"), "b never answered");
	lab_poll(B);
	assert_string_equal(spots("b"), "");
	lab.left_out[CORE] = true;
	lab_reconfigure();
	lab_poll(A);
	lab_poll(B);
	assert_string_equal(spots("b"), "b has no link to any polled switch");
}

static void
a_table_that_was_read_a_moment_ago_makes_no_blind_spot_of_its_links(void **state)
{
	(void)state;
	lab_sweep();
	lab.said[0] = (struct said){ .sw = A, .port = 1, .chassis = lab_bridge[CORE], .name = "core", .caps = CAP_BRIDGE };
	lab_poll(A);				/* its neighbours are new rows, the next pass over all ports is not yet due */
	assert_string_equal(spots(""), "");
}

static void
a_switch_with_a_crowd_of_neighbours_hides_no_others_and_keeps_nobody_waiting(void **state)
{
	struct mono start;

	(void)state;
	lab.crowd = 3000;
	lab.said[0] = (struct said){ .sw = B, .port = 5, .chassis = 0x00aa00000001, .name = "floor2", .caps = CAP_BRIDGE };
	lab_sweep();
	start = mono_now();
	ask("");
	assert_in_range(mono_since(start, mono_now()), 0, 2000);
	assert_int_equal(json_array_size(json_object_get(doc, "blindSpots")), 64 + 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(doc, "omitted"), "blindSpots")), 3000 - 64);
}

static int
teardown(void **state)
{
	json_decref(doc);
	doc = NULL;
	return lab_teardown(state);
}

#undef CLAIM
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, lab_setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(each_link_is_told_once_with_both_ends_and_their_reasons),
		CLAIM(two_cables_between_two_switches_are_told_apart_by_the_ports_they_name),
		CLAIM(an_uplink_by_configuration_has_an_end_that_nobody_knows),
		CLAIM(a_bridge_or_router_that_nobody_polls_is_a_blind_spot_and_nothing_else_is),
		CLAIM(the_same_neighbour_by_lldp_and_cdp_is_one_blind_spot),
		CLAIM(an_unpolled_switch_that_lies_between_is_named),
		CLAIM(silent_and_lonely_switches_are_blind_spots),
		CLAIM(a_switch_with_a_crowd_of_neighbours_hides_no_others_and_keeps_nobody_waiting),
		CLAIM(a_table_that_was_read_a_moment_ago_makes_no_blind_spot_of_its_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
