/* tests/unit/test_engine_doctor.c: what the engine finds wrong with the network of engine_lab.h, and that it finds nothing else. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine_lab.h"
#include "model/rows.h"

static json_t *doc;

/* The codes found, sorted as the engine says them, each as "code what …"; hints only with `hints`. */
static const char *
found(bool hints)
{
	static char text[65536];
	const json_t *f;
	size_t i, at = 0;

	json_decref(doc);
	lab_ask(1, "doctor", "");
	doc = json_loadb((const char *)lab.answer.p, lab.answer.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	text[0] = '\0';
	json_array_foreach(json_object_get(doc, "findings"), i, f) {
		const json_t *what = json_object_get(f, "what");
		const char *sw = json_string_value(json_object_get(what, "switch")), *port = json_string_value(json_object_get(what, "port"));

		if (!hints && strcmp(json_string_value(json_object_get(f, "severity")), "hint") == 0)
			continue;
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s%s%s%s", at > 0 ? "; " : "", json_string_value(json_object_get(f, "code")),
		    sw != NULL ? " " : "", sw != NULL ? sw : "", port != NULL ? " " : "", port != NULL ? port : "");
	}
	return text;
}

static void
nothing_is_wrong_with_a_network_that_is_wired_well(void **state)
{
	(void)state;
	lab_plug(0, LAPTOP, A, 5);
	lab_sweep();
	lab_sweep();
	assert_string_equal(found(true), "");
}

static void
a_sweep_that_runs_is_said_and_no_switch_accused(void **state)
{
	(void)state;
	lab_poll(CORE);
	assert_string_equal(found(true), "sweep-running");
}

static void
states_of_switches(void **state)
{
	(void)state;
	lab_poll(CORE);
	lab_report(A, SWITCH_AUTH_FAILED, 1);
	lab_report(B, SWITCH_UNREACHABLE, 1);
	assert_string_equal(found(false), "switch-auth-failed a; switch-never-answered b");
	lab_sweep();
	lab_report(B, SWITCH_UNREACHABLE, 1);
	assert_string_equal(found(false), "switch-unreachable b");
}

static void
ports_that_the_operator_names_and_the_switch_does_not_have(void **state)
{
	(void)state;
	lab.uplink[A] = "Te9/9/9";
	lab.access_port[A] = "77";
	lab.uplink[B] = "Gi1";
	lab.access_port[B] = "5";		/* an ifIndex */
	lab_reconfigure();
	assert_string_equal(found(false), "");	/* no interface table was read yet */
	lab_sweep();
	assert_string_equal(found(false), "uplink-not-there a Te9/9/9; access-port-not-there a 77");
}

static void
a_port_where_somebody_claims_to_be_a_switch_that_does_not_agree(void **state)
{
	(void)state;
	lab.forged = lab_bridge[B];
	lab_sweep();
	lab_sweep();
	lab_sweep();
	assert_string_equal(found(false), "port-conflict a Gi9");
}

static void
a_cable_whose_ends_name_different_neighbours(void **state)
{
	(void)state;
	lab.said[0] = (struct said){ .sw = B, .port = 8, .chassis = lab_bridge[A], .name = "a", .port_id = "Gi1", .caps = CAP_BRIDGE };
	lab_sweep();
	assert_non_null(strstr(found(false), "link-contradicted b Gi8"));
}

static void
a_crowd_on_one_port_hides_no_contradiction_on_another(void **state)
{
	(void)state;
	lab.crowd = 1100;			/* on port 8 */
	lab.said[0] = (struct said){ .sw = A, .port = 9, .chassis = lab_bridge[B], .name = "b", .port_id = "Gi1", .caps = CAP_BRIDGE };
	lab_sweep();
	assert_non_null(strstr(found(false), "link-contradicted a Gi9"));
}

/* How many such findings are told. */
static size_t
count_of(const char *code)
{
	size_t i, n = 0;
	const json_t *f;

	json_array_foreach(json_object_get(doc, "findings"), i, f)
		n += strcmp(json_string_value(json_object_get(f, "code")), code) == 0;
	return n;
}

/* R3: each claim is looked for in all of b, and each that was looked for is a finding: of fifty thousand there are as many as four
 * million looks at a port are enough for. */
static void
a_switch_that_claims_on_all_its_ports_to_be_a_large_one_keeps_nobody_waiting(void **state)
{
	enum { PORTS = 60000 };

	(void)state;
	lab_sweep();
	lab.ports = PORTS;
	lab.claimed = 50000;
	lab_poll(A);
	lab_poll(B);
	assert_non_null(strstr(found(false), "link-contradicted a Gi10"));
	assert_in_range(count_of("link-contradicted"), 1, 4000000 / PORTS + 1);
}

static void
a_switch_without_an_uplink_while_others_have_one(void **state)
{
	(void)state;
	lab_sweep();
	lab.left_out[B] = true;
	lab_reconfigure();
	lab_sweep();
	lab.left_out[B] = false;
	lab.left_out[CORE] = true;
	lab_reconfigure();
	lab_poll(A);
	lab_poll(B);
	assert_string_equal(found(false), "");	/* nobody has one now */
}

static void
switches_that_cannot_be_told_apart(void **state)
{
	(void)state;
	lab.same_address = true;
	lab.sys_name = "Switch";
	lab.b_is_a = true;
	lab_reconfigure();
	lab_sweep();
	found(false);
	assert_non_null(strstr(found(false), "same-address b; same-address core; same-bridge b; same-sysname b; same-sysname core"));
}

static void
receivers(void **state)
{
	(void)state;
	lab_sweep();
	lab.acknowledge = false;
	lab_plug(0, CAMERA, A, 5);
	lab_poll(A);
	lab_later(20 * 60 * 1000);
	assert_non_null(strstr(found(false), "receiver-behind; receiver-behind"));
	lab.no_receivers = true;
	lab_reconfigure();
	assert_non_null(strstr(found(true), "receiver-none; receiver-orphaned"));
}

static void
limits_and_clock(void **state)
{
	(void)state;
	lab.max_stations = 10;
	lab_reconfigure();
	for (int i = 0; i < 9; i++)
		lab_plug(i, LAPTOP + (uint64_t)i, A, 5);
	lab_sweep();
	lab_later(1000);
	assert_string_equal(found(false), "stations-near-limit");
	lab.now.wall.us = 3600000000;
	assert_string_equal(found(false), "clock-unset; stations-near-limit");
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
		CLAIM(nothing_is_wrong_with_a_network_that_is_wired_well),
		CLAIM(a_sweep_that_runs_is_said_and_no_switch_accused),
		CLAIM(states_of_switches),
		CLAIM(ports_that_the_operator_names_and_the_switch_does_not_have),
		CLAIM(a_port_where_somebody_claims_to_be_a_switch_that_does_not_agree),
		CLAIM(a_cable_whose_ends_name_different_neighbours),
		CLAIM(a_crowd_on_one_port_hides_no_contradiction_on_another),
		CLAIM(a_switch_that_claims_on_all_its_ports_to_be_a_large_one_keeps_nobody_waiting),
		CLAIM(a_switch_without_an_uplink_while_others_have_one),
		CLAIM(switches_that_cannot_be_told_apart),
		CLAIM(receivers),
		CLAIM(limits_and_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
