/* tests/unit/test_engine.c: what the engine says of the network of engine_lab.h: stock and summary, a camera found
 * through the core first, moves, gone and back, laptops, forged neighbours, restarts, and receivers that come and go. */
#include <jansson.h>
#include <string.h>

#include "engine_lab.h"
#include "model/rows.h"

/* So many were told; of the last one, which goes to *last unless that is NULL, where. */
#define assert_told_at(type, n, name, port, last) told_at(type, n, name, port, last, __LINE__)

static void
told_at(enum event_type type, unsigned n, const char *name, uint32_t port, struct event *last, int line)
{
	struct event at;

	_assert_int_equal(lab_told(type, "noc", &at), n, __FILE__, line);
	_assert_string_equal(at.switch_name, name, __FILE__, line);
	_assert_int_equal(at.if_index, port, __FILE__, line);
	if (last != NULL)
		*last = at;
}

static void
stock_is_paged_on_sensitive_sites_and_summed_up_elsewhere(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_plug(1, CAMERA + 1, B, 6);
	lab_plug(2, CAMERA + 2, B, 7);
	lab_sweep();
	lab_sweep();
	assert_told_at(EVENT_DEVICE_DETECTED, 1, "a", 5, &ev);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(ev.count, 2);
}

static void
a_camera_seen_by_the_core_first_is_one_event_with_its_access_port(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, B, 6);
	lab_poll(CORE);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	assert_true(lab.polls_asked[B] > 0);
	lab_poll(B);
	lab_poll(A);
	lab_later(30000);
	lab_sweep();
	assert_told_at(EVENT_DEVICE_DETECTED, 1, "b", 6, &ev);
	assert_string_equal(ev.port, "Gi6");
	assert_int_equal(ev.vlan, 20);
	assert_int_equal(ev.origin, ORIGIN_NEW);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
}

static void
a_place_that_stays_hidden_is_told_with_less_certainty(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab_poll(CORE);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab_later(16000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.verdict, VERDICT_BEYOND);
	lab_plug(0, CAMERA, B, 6);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 6);
}

static void
moved_gone_and_returned_are_said_once_each(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(1000);
	lab_plug(0, CAMERA, B, 7);
	lab_sweep();
	lab_later(1000);
	lab_sweep();
	assert_told_at(EVENT_DEVICE_MOVED, 1, "b", 7, &ev);
	lab_unplug(0);
	lab_sweep();
	lab_later(1000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);	/* two polls, but not yet past the ageing time */
	lab_later(301000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", &ev), 1);
	assert_int_equal(ev.presence, PRESENCE_GONE);
	lab_plug(0, CAMERA, B, 7);
	lab_sweep();
	lab_later(1000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_RETURNED, "noc", &ev), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

static void
a_laptop_is_none_of_our_business(void **state)
{
	(void)state;
	lab_sweep();
	lab_plug(0, LAPTOP, A, 5);
	lab_sweep();
	lab_later(60000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
}

static void
d10_a_forged_neighbour_keeps_its_port_and_is_a_conflict(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.forged = lab_bridge[B];
	lab_plug(0, CAMERA, A, 9);
	lab_sweep();
	lab_sweep();
	assert_told_at(EVENT_DEVICE_DETECTED, 1, "a", 9, NULL);
	lab_plug(1, LAPTOP, A, 5);		/* any other change must not tell it again */
	lab_sweep();
	lab_plug(2, LAPTOP + 1, B, 5);
	lab_sweep();
	assert_told_at(EVENT_CONFLICT, 1, "a", 9, NULL);
}

static void
a_restart_repeats_nothing(void **state)
{
	size_t before;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(2000);
	lab_stop();
	before = lab.n_out;
	lab_start();
	lab_sweep();
	lab_later(2000);
	lab_sweep();
	for (size_t i = before; i < lab.n_out; i++)
		assert_int_equal(lab.out[i].event.type, EVENT_HEARTBEAT);
}

static void
q1_what_was_not_acknowledged_is_sent_again_after_a_restart_with_its_id(void **state)
{
	struct event first, again;

	(void)state;
	lab.acknowledge = false;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &first), 1);
	lab_stop();
	lab.n_out = 0;
	lab.acknowledge = true;
	lab_start();
	lab_tick();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &again), 1);
	assert_string_equal(first.id, again.id);
	assert_int_equal(first.sequence, again.sequence);
	lab_later(60000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
}

static void
an_unreachable_switch_is_told_after_three_misses_and_its_cameras_are_not_gone(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	for (uint32_t missed = 1; missed <= 4; missed++) {
		lab_later(400000);
		lab_report(A, SWITCH_UNREACHABLE, missed);
	}
	assert_int_equal(lab_told(EVENT_SWITCH_UNREACHABLE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.count, 1);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_poll(A);
	assert_int_equal(lab_told(EVENT_SWITCH_REACHABLE, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_report_about_other_rows_is_asked_for_again_and_changes_nothing(void **state)
{
	static const struct { const char *name; struct msg_report head; uint8_t rows[4]; size_t n; } cases[] = {
		{ "the rows of a sum that we do not have", { .key = 2, .rows = REPORT_SAME, .sum = 99, .state = SWITCH_OK, .complete = ROW_ALL }, { 0 }, 0 },
		{ "the rows of no sum", { .key = 2, .rows = REPORT_SAME, .state = SWITCH_OK, .complete = ROW_ALL }, { 0 }, 0 },
		{ "no rows", { .key = 2, .rows = REPORT_ROWS, .sum = 99, .state = SWITCH_OK, .complete = ROW_ALL }, { 0, 9, 1 }, 3 },
	};

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	for (unsigned i = 0; i < nitems(cases); i++) {
		struct msg_in in = msg_in_of(cases[i].rows, cases[i].n);

		print_message("%s\n", cases[i].name);
		engine_report_begin(lab.engine, &cases[i].head, lab.now);
		engine_report_rows(lab.engine, 2, &in);
		engine_report_end(lab.engine, 2, lab.now);
		assert_int_equal(lab.resyncs, i + 1);
		engine_report_end(lab.engine, 2, lab.now);
		engine_report_end(lab.engine, 77, lab.now);
		lab_sweep();
	}
	lab_later(1000);
	assert_int_equal(lab.resyncs, nitems(cases));
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
d10_a_forged_claim_of_the_real_neighbour_keeps_its_port_too(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.forged = lab_bridge[CORE];			/* a's true neighbour on port 1 */
	lab_plug(0, CAMERA, A, 9);
	lab_sweep();
	lab_sweep();
	assert_told_at(EVENT_DEVICE_DETECTED, 1, "a", 9, &ev);
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 9);
	assert_int_equal(mac_u64(ev.mac), CAMERA);
}

static void
a_standing_conflict_is_not_told_again_by_a_restart_but_when_it_comes_back(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.forged = lab_bridge[B];
	lab_plug(0, CAMERA, A, 9);
	lab_sweep();
	lab_sweep();
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 1);
	lab_crash();
	lab_start();
	for (int i = 0; i < 4; i++)
		lab_sweep();
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 1);
	lab.forged = 0;
	lab_sweep();
	lab_sweep();
	lab.forged = lab_bridge[B];
	for (int i = 0; i < 4; i++)
		lab_sweep();
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 2);
}

static void
q2_a_crash_at_any_report_neither_loses_nor_repeats(void **state)
{
	/* Eight reports; the engine is killed behind each of them in turn, once. */
	for (int at = 0; at < 8; at++) {
		struct event ev;

		if (at > 0) {
			lab_teardown(state);
			lab_setup(state);
		}
		lab_plug(1, CAMERA + 1, B, 6);	/* stock on a standard site */
		lab_plug(2, CAMERA + 2, A, 7);	/* stock on a sensitive one */
		for (int i = 0; i < 8; i++) {
			if (i == 5)
				lab_plug(0, CAMERA, A, 5);
			lab_poll(i % SWITCHES);
			if (i == at) {
				lab_crash();
				lab_start();
			}
		}
		for (int i = 0; i < 4; i++) {
			lab_sweep();
			lab_later(20000);
		}
		print_message("killed behind report %d\n", at);
		assert_int_equal(lab_told(EVENT_SUMMARY, "noc", &ev), 1);
		assert_int_equal(ev.count, 1);
		assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 2);
		assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL) + lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	}
}

static void
a_camera_that_only_an_uplink_remembers_is_gone(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, B, 6);
	lab_sweep();
	lab_sweep();
	lab.fdb[B][0] = (struct seen){ 0, 0, 0 };	/* b forgets it, the core remembers for longer */
	for (int i = 0; i < 3; i++) {
		lab_later(200000);
		lab_sweep();
	}
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	lab_sweep();
	lab_later(1000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_RETURNED, "noc", NULL), 0);
	lab_plug(0, CAMERA, B, 6);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_RETURNED, "noc", NULL), 1);
}

static void
a_camera_that_went_where_nobody_looks_is_not_said_to_be_on_its_old_port(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_dies(B, 0);
	lab_unplug(0);
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };	/* the core: beyond the uplink towards b, which cannot be asked */
	for (int i = 0; i < 3; i++) {
		lab_later(200000);
		lab_poll(CORE);
		lab_poll(A);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_int_equal(ev.verdict, VERDICT_BEYOND);
	assert_string_equal(ev.switch_name, "core");
	lab_plug(0, CAMERA, B, 8);
	lab_sweep();
	assert_told_at(EVENT_DEVICE_CHANGED, 1, "b", 8, &ev);
}

static void
a_camera_that_went_from_behind_one_dead_switch_to_behind_another_is_told(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	for (uint32_t missed = 1; missed <= 3; missed++) {
		lab_report(A, SWITCH_UNREACHABLE, missed);
		lab_report(B, SWITCH_UNREACHABLE, missed);
	}
	for (uint32_t port = 1; port <= 2; port++) {
		lab.fdb[CORE][0] = (struct seen){ CAMERA, port, 20 };	/* 1 leads to a, 2 to b */
		for (int i = 0; i < 3; i++) {
			lab_later(20000);
			lab_poll(CORE);
		}
		assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", port == 1 ? &ev : NULL), 1);
		assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", port == 2 ? &ev : NULL), port - 1);
		assert_int_equal(ev.verdict, VERDICT_BEYOND);
		assert_int_equal(ev.if_index, port);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	/* Two that have its address make no storm (D9): as of any move, four in ten minutes, then where it is at last. */
	for (uint32_t i = 0; i < 60; i++) {
		lab.fdb[CORE][0] = (struct seen){ CAMERA, 1 + i % 2, 20 };
		lab_later(5000);
		lab_poll(CORE);
	}
	assert_in_range(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 2, 4);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	lab_later(600000);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 2);
}

static void
a_camera_on_its_way_to_behind_a_switch_that_answers_is_told_where_that_shows_it(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_dies(A, 0);
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 1, 20 };
	for (int i = 0; i < 3; i++) {
		lab_later(20000);
		lab_poll(CORE);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab_later(20000);
	lab_poll(CORE);			/* and b was read before */
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
	lab.fdb[B][0] = (struct seen){ CAMERA, 7, 20 };
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(ev.if_index, 7);
}

static void
a_changed_policy_finds_what_was_there_and_lets_go_of_it(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, LAPTOP, A, 5);
	lab_plug(1, LAPTOP + 1, B, 6);
	lab_sweep();
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab.policies = ABOUT_DELL_TOO;
	lab_reconfigure();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);	/* on the sensitive site one by one */
	assert_int_equal(ev.origin, ORIGIN_POLICY);
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", &ev), 1);
	assert_int_equal(ev.count, 1);
	lab.policies = ABOUT_HIKVISION;
	lab_reconfigure();
	assert_int_equal(lab_told(EVENT_DEVICE_HANDLED, "noc", &ev), 2);
	assert_int_equal(ev.handling, HANDLING_REMOVED);
	lab.policies = ABOUT_DELL_TOO;
	lab_reconfigure();
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 2);
	assert_int_equal(ev.handling, HANDLING_OPEN);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", NULL), 2);
}

static void
a_policy_changed_between_two_runs_is_one_that_brings_up(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, LAPTOP, A, 5);
	lab_sweep();
	lab_later(2000);
	lab_stop();
	lab.policies = ABOUT_DELL_TOO;
	lab_start();
	lab_sweep();
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_POLICY);
}

static void
d6_more_than_eight_on_a_port_are_one_flood_with_their_number_over_a_crash(void **state)
{
	for (int killed = 0; killed < 2; killed++) {
		struct event ev;

		if (killed) {
			lab_teardown(state);
			lab_setup(state);
		}
		lab_sweep();
		lab_sweep();
		for (int i = 0; i < 20; i++)
			lab_plug(i, CAMERA + (uint64_t)i, A, 5);
		lab_sweep();
		assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 8);
		assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", NULL), 0);
		if (killed) {
			lab_crash();
			lab_start();
			lab_sweep();
		}
		lab_later(61000);
		lab_later(2000);
		assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", &ev), 1);
		assert_int_equal(ev.count, 12);
		assert_string_equal(ev.switch_name, "a");
		assert_int_equal(ev.if_index, 5);
		lab_later(120000);
		lab_sweep();
		assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", NULL), 1);
		assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 8);
	}
}

static void
p8_one_alarm_names_the_switch_that_died_and_not_those_behind_it(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	for (uint32_t missed = 1; missed <= 4; missed++) {
		lab_later(100000);
		for (int i = SWITCHES - 1; i >= 0; i--)
			lab_report(i, SWITCH_UNREACHABLE, missed);
	}
	assert_int_equal(lab_told(EVENT_SWITCH_UNREACHABLE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "core");
	lab_poll(CORE);
	lab_poll(A);
	assert_int_equal(lab_told(EVENT_SWITCH_REACHABLE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "core");
	lab_report(B, SWITCH_UNREACHABLE, 5);	/* dead by itself, as is seen now */
	assert_int_equal(lab_told(EVENT_SWITCH_UNREACHABLE, "noc", &ev), 2);
	assert_string_equal(ev.switch_name, "b");
	lab_stop();
	lab_start();
	lab_report(B, SWITCH_UNREACHABLE, 1);	/* a new run counts anew, and the switch is as dead as before */
	lab_poll(CORE);
	lab_poll(A);
	assert_int_equal(lab_told(EVENT_SWITCH_REACHABLE, "noc", NULL), 1);
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_SWITCH_REACHABLE, "noc", &ev), 2);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(lab_told(EVENT_SWITCH_UNREACHABLE, "noc", NULL), 2);
}

static void
an_arp_table_gives_the_address(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab.arp = true;
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_memory_equal(ev.device_address.b, "\x0a\x14\x00\x4d", 4);
}

static void
a_switch_taken_out_of_the_configuration_leaves_its_devices_stale(void **state)
{
	(void)state;
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };	/* by nobody else: else it would be on the core's port from now on */
	lab_sweep();
	lab_sweep();
	lab.left_out[B] = true;
	lab_unplug(0);
	lab_reconfigure();
	for (int i = 0; i < 3; i++) {
		lab_later(400000);
		lab_poll(CORE);
		lab_poll(A);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab.left_out[B] = false;
	lab_reconfigure();
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab_sweep();
	lab_later(20000);
	lab_sweep();
	/* The summary at its first baseline. */
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL) + lab_told(EVENT_DEVICE_RETURNED, "noc", NULL) +
	    lab_told(EVENT_DEVICE_MOVED, "noc", NULL) + lab_told(EVENT_SUMMARY, "noc", NULL), 1);
}

/* Nobody looks for it there any more: what showed it on the way there all the time is where it is now. */
static void
a_camera_at_a_switch_taken_out_of_the_configuration_is_where_others_show_it(void **state)
{
	for (int restarts = 0; restarts < 2; restarts++) {
		lab_plug(0, CAMERA, B, 6);
		lab_sweep();
		lab_sweep();
		lab.left_out[B] = true;
		if (restarts) {
			lab_stop();
			lab_start();
		} else
			lab_reconfigure();
		for (int i = 0; i < 2; i++) {
			lab_poll(CORE);
			lab_poll(A);
		}
		assert_told_at(EVENT_DEVICE_MOVED, 1, "core", 2, NULL);
		lab_teardown(state);
		lab_setup(state);
	}
}

static void
one_slow_switch_does_not_hide_a_camera_whose_place_is_clear(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_poll(CORE);
	lab_poll(A);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab_later(31000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
}

static void
s5_a_clock_set_back_makes_no_old_port_the_newest(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab.now.wall.us -= 3650ll * 86400 * 1000000;
	lab_later(1000);
	lab.fdb[B][0] = (struct seen){ CAMERA, 7, 20 };	/* moved; a has not forgotten it yet */
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
}

/* `lastPoll` of the document. */
static struct wall
last_poll(void)
{
	struct wall t = { 0 };
	json_t *o, *at;

	lab_ask(1001, "status", "");
	o = json_loadb((const char *)lab.answer.p, lab.answer.len, 0, NULL);
	at = json_object_get(o, "lastPoll");
	assert_non_null(at);
	if (!json_is_null(at))
		assert_int_equal(wall_parse(json_string_value(at), &t), 0);
	json_decref(o);
	return t;
}

static void
q5_how_old_the_state_is_shows_over_a_restart_and_a_clock_set_back(void **state)
{
	struct wall first, back;

	(void)state;
	assert_int_equal(last_poll().us, 0);
	lab_sweep();
	first = last_poll();
	assert_int_not_equal(first.us, 0);
	lab_later(60000);
	lab_report(A, SWITCH_UNREACHABLE, 1);
	assert_int_equal(last_poll().us, first.us);
	lab_stop();
	lab_start();
	assert_int_equal(last_poll().us, first.us);
	lab.now.wall.us -= 3600ll * 1000000;
	lab_poll(B);
	back = last_poll();
	assert_true(back.us < first.us && back.us != 0);
}

/* The uplinks of a switch, as `switches` shows them. */
static json_t *
uplinks_of(const char *name, json_t **doc)
{
	lab_ask(1001, "switches", name);
	*doc = json_loadb((const char *)lab.answer.p, lab.answer.len, 0, NULL);
	return json_object_get(json_array_get(json_object_get(*doc, "switches"), 0), "uplinks");
}

static void
a_lag_that_comes_later_is_one_uplink_and_no_news_of_the_devices_behind_it(void **state)
{
	json_t *doc, *uplinks, *members;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_plug(1, CAMERA + 1, B, 5);
	lab_sweep();
	lab_sweep();
	lab.lag = true;
	for (int i = 0; i < 3; i++) {
		lab_later(300000);
		lab_sweep();
	}
	lab_stop();
	lab_start();
	for (int i = 0; i < 3; i++) {		/* and none of a restart, with the table from the disk */
		lab_later(300000);
		lab_sweep();
	}
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 0);
	uplinks = uplinks_of("core", &doc);
	assert_int_equal(json_array_size(uplinks), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(uplinks, 0), "port")), "Gi2");
	assert_null(json_object_get(json_array_get(uplinks, 0), "members"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(uplinks, 1), "port")), "Po1");
	members = json_object_get(json_array_get(uplinks, 1), "members");
	assert_int_equal(json_array_size(members), 2);
	assert_string_equal(json_string_value(json_array_get(members, 0)), "Gi1");
	assert_string_equal(json_string_value(json_array_get(members, 1)), "Gi8");
	json_decref(doc);
}

static void
d10_a_lag_gives_a_forger_no_way(void **state)
{
	struct event ev;

	(void)state;
	lab.lag = true;
	lab_sweep();
	lab_sweep();
	lab.forged = lab_bridge[CORE];
	lab_plug(0, CAMERA, A, 9);
	lab_sweep();
	lab_sweep();
	assert_told_at(EVENT_DEVICE_DETECTED, 1, "a", 9, &ev);
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 9);
}

static void
p6_a_port_that_got_the_number_of_another_is_not_that_one(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();
	lab_sweep();
	lab.renumbered[A] = true;
	lab_plug(0, CAMERA, A, 5);	/* moved to Gi9, which has the number that Gi5 had */
	lab_plug(1, CAMERA + 1, A, 7);	/* stays on Gi6 */
	lab_sweep();
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_int_equal(mac_u64(ev.mac), CAMERA);
	assert_string_equal(ev.port, "Gi9");
	assert_int_equal(ev.if_index, 5);
}

static void
gets_another_address(int sw)
{
	lab.readdressed[sw] = !lab.readdressed[sw];
	lab.sum[sw] = 0;				/* its poller begins anew */
	lab_reconfigure();
}

static void
restarted_with_other_numbers(void)
{
	lab.renumbered[A] = true;
	lab_plug(0, CAMERA, A, 6);	/* where it was: Gi5 has another number now */
	lab.uptime_cs[A] = 500;
}

/* Of the old numbers, which nothing has removed, and the new ones together Gi9 would be told. */
static void
p6_rows_of_two_numberings_are_never_put_together(void **state)
{
	static const struct { const char *name; bool restarts, half_read, crash, silent, readdressed; } cases[] = {
		{ "it restarts in the midst of the poll", true, false, false, false, false },
		{ "it has restarted, and the poll did not reach the end", false, true, false, false, false },
		{ "and we, too", false, true, true, false, false },
		{ "and a poll before that did not hear for how long it had been up", false, true, false, true, false },
		{ "at its new address there is another one, which is up for longer", false, true, false, false, true },
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		unsigned asked;

		print_message("%s\n", cases[i].name);
		lab_plug(0, CAMERA, A, 5);
		lab.uptime_cs[A] = 1000000;
		lab_sweep();
		lab_sweep();
		if (cases[i].silent) {
			lab.uptime_cs[A] = 0;
			lab.half_read[A] = true;
			lab_poll(A);
		}
		if (cases[i].crash) {
			lab_crash();
			lab_start();
		}
		restarted_with_other_numbers();
		if (cases[i].readdressed) {
			gets_another_address(A);
			lab.uptime_cs[A] = 2000000;
		}
		lab.restarts[A] = cases[i].restarts;
		lab.half_read[A] = cases[i].half_read;
		asked = lab.polls_asked[A];
		lab_poll(A);
		assert_int_equal(lab.polls_asked[A], asked + 1);
		lab.restarts[A] = lab.half_read[A] = false;
		lab_poll(A);
		lab_sweep();
		lab_later(16000);
		assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
		assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
		assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
		lab_teardown(state);
		lab_setup(state);
	}
}

static void
readdressed(void)
{
	lab_plug(0, CAMERA, A, 5);
	lab_plug(1, CAMERA + 1, A, 7);
	lab_sweep();
	lab_sweep();
	gets_another_address(A);
}

static void
nothing_is_told_of_two_cameras_but_that_they_are_there(void)
{
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 2);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

/* One that is never read to its end is taken as it is at last, without a row of the switch before. */
static void
p6_rows_of_two_addresses_are_never_put_together(void **state)
{
	(void)state;
	readdressed();
	lab.renumbered[A] = lab.half_read[A] = true;
	lab_plug(0, CAMERA, A, 6);		/* Gi5 still; the other one is among what is not read */
	lab.fdb[A][1] = (struct seen){ 0 };
	for (int i = 0; i < 3; i++)
		lab_poll(A);
	lab.half_read[A] = false;
	lab_plug(1, CAMERA + 1, A, 8);
	lab_sweep();
	lab_later(16000);
	nothing_is_told_of_two_cameras_but_that_they_are_there();
}

static void
what_was_asked_at_the_address_before_is_asked_again(void **state)
{
	(void)state;
	readdressed();
	lab_later(1000);
	lab.began_ms[A] = 1001;
	lab_plug(0, CAMERA, A, 6);
	lab_poll(A);
	assert_int_equal(lab.resyncs, 1);
	lab.began_ms[A] = 0;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	assert_int_equal(lab.resyncs, 1);
	nothing_is_told_of_two_cameras_but_that_they_are_there();
}

/* It was absent from the switch before, and for long; of the one that is there now nobody knows yet. */
static void
who_was_absent_before_its_switch_got_another_address_is_not_gone_by_that(void **state)
{
	(void)state;
	readdressed();
	lab_sweep();
	lab_unplug(0);
	lab_sweep();
	lab_sweep();
	gets_another_address(A);
	lab_later(400000);
	lab_poll(CORE);
	lab_poll(A);
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_sweep();
	lab_later(301000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_GONE, CAMERA, NULL), 1);
	assert_int_equal(lab_told_of(EVENT_DEVICE_GONE, CAMERA + 1, NULL), 0);
}

/* What the switch before did not show, this one may. */
static void
a_camera_is_not_gone_while_a_switch_was_not_read_at_its_new_address(void **state)
{
	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_unplug(0);
	lab_sweep();
	gets_another_address(B);
	lab_later(400000);
	lab_poll(CORE);
	lab_poll(A);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_poll(B);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

/* One that restarts in every poll is heard nevertheless. */
static void
what_is_refused_twice_is_taken(void **state)
{
	(void)state;
	lab_sweep();
	lab.restarts[A] = true;
	lab_plug(0, CAMERA, A, 5);
	lab_poll(A);
	lab_poll(A);
	lab_later(16000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab_poll(A);
	lab_later(16000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
}

static void
told_behind_b(struct event *ev)
{
	lab_sweep();
	lab_sweep();
	lab_dies(B, 0);
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab.fdb[A][0] = (struct seen){ CAMERA, 1, 20 };
	lab_poll(CORE);
	lab_poll(A);			/* the newest, and the farthest away */
	lab_later(16000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", ev), 1);
	assert_string_equal(ev->switch_name, "core");
	assert_int_equal(ev->if_index, 2);
}

static void
what_is_behind_a_dead_switch_is_told_at_the_last_uplink_on_the_way(void **state)
{
	struct event ev;

	(void)state;
	told_behind_b(&ev);
	assert_non_null(strstr(ev.reason, "towards b, which cannot be asked"));
}

/* The core has forgotten it before a has. */
static void
what_was_behind_a_dead_switch_is_gone_from_where_it_was(void **state)
{
	struct event ev;

	(void)state;
	told_behind_b(&ev);
	lab.fdb[CORE][0] = (struct seen){ 0 };
	lab_poll(CORE);
	lab_poll(A);
	lab.fdb[A][0] = (struct seen){ 0 };
	for (int i = 0; i < 4; i++) {
		lab_later(200000);
		lab_poll(CORE);
		lab_poll(A);
	}
	assert_told_at(EVENT_DEVICE_GONE, 1, "core", 2, &ev);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
}

/* A table is read before the neighbours are: whoever is plugged in between is only among these. */
static void
what_a_neighbour_with_another_address_says_is_not_said_of_the_laptop_beside_it(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, LAPTOP, A, 9);
	lab_sweep();
	lab_sweep();
	lab.forged = LAPTOP + 1;
	lab.says = "HIKVISION";
	lab_poll(A);
	lab_plug(1, LAPTOP + 1, A, 9);
	lab_sweep();
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, LAPTOP, NULL), 0);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, LAPTOP + 1, &ev), 1);
	assert_int_equal(ev.if_index, 9);
}

static void
a_camera_that_was_pulled_out_before_its_switch_was_asked_is_waited_for(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	for (int i = 0; i < 2; i++) {	/* the second one does not show again */
		lab.fdb[CORE][i] = (struct seen){ CAMERA + (uint64_t)i, 2, 20 };
		lab_poll(CORE);
		lab_unplug(i);
		lab_poll(CORE);
	}
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	assert_told_at(EVENT_DEVICE_DETECTED, 1, "a", 5, &ev);
	lab_later(16000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &ev), 1);
	assert_int_equal(ev.verdict, VERDICT_BEYOND);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
}

/* It was pulled out of one port and put into another while the table was read. */
static void
a_new_camera_on_two_ports_is_told_when_it_is_on_one(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab.fdb[A][1] = (struct seen){ CAMERA, 6, 20 };
	lab_poll(A);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	assert_true(lab.polls_asked[A] > 0);
	lab.fdb[A][0] = (struct seen){ 0, 0, 0 };
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 6);
	lab_plug(2, CAMERA + 1, A, 7);
	lab.fdb[A][3] = (struct seen){ CAMERA + 1, 8, 20 };
	lab_sweep();
	lab_later(16000);		/* it stays on both */
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &ev), 1);
	assert_int_equal(ev.verdict, VERDICT_UNKNOWN);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
}

/* The poller of a had read it before the camera was pulled out, and says so again to the new engine. */
static void
q2_a_crash_behind_a_move_does_not_take_the_old_port_for_a_move_back(void **state)
{
	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_later(1000);
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
	lab_crash();
	lab_start();
	lab_poll(A);
	lab_poll(CORE);
	lab_poll(B);
	lab_plug(0, CAMERA, B, 6);
	lab_sweep();
	lab_later(1000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
}

/* a did not answer for longer than its ageing time. It does again, is asked twice at once, and does not show its camera (yet). */
static void
a_is_back_without_its_camera(void)
{
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_dies(A, 200000);
	lab_later(200000);
	lab_unplug(0);
	lab_poll(A);
	lab_poll(A);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_camera_that_moved_while_its_switch_was_away_is_not_gone_first(void **state)
{
	struct event ev;

	(void)state;
	a_is_back_without_its_camera();
	lab_plug(0, CAMERA, B, 7);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_camera_that_starts_with_its_switch_is_not_gone(void **state)
{
	(void)state;
	a_is_back_without_its_camera();
	lab_later(60000);
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(400000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_DEVICE_RETURNED, "noc", NULL), 0);
}

static void
a_camera_is_gone_when_its_absence_is_as_old_as_its_switch_remembers(void **state)
{
	(void)state;
	a_is_back_without_its_camera();
	lab_sweep();
	lab_later(299000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
	lab_sweep();
	lab_later(400000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

/* It is gone from a for longer than its ageing time, and b, which may show it, was not read since. The core remembers it there. */
static void
absent_while_b_is_not_read(int64_t clock_set_s)
{
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab.now.wall.us += clock_set_s * 1000000;
	lab.fdb[A][0] = (struct seen){ 0 };
	lab_poll(A);
	lab_poll(CORE);
	lab_later(400000);
	lab_poll(A);
	lab_poll(CORE);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

/* Nobody looks there any more: what two polls did not show, and the time that nobody looked, is no absence. */
static void
a_camera_is_not_gone_while_its_switch_does_not_answer(void **state)
{
	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_unplug(0);
	lab_sweep();
	lab_later(60000);
	lab_sweep();
	lab_dies(A, 0);
	lab_later(400000);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

static void
a_camera_is_not_gone_while_a_switch_was_not_read_since(void **state)
{
	struct event ev;

	(void)state;
	absent_while_b_is_not_read(0);
	lab_plug(0, CAMERA, B, 7);
	lab_poll(B);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_camera_is_gone_when_the_last_switch_was_read(void **state)
{
	(void)state;
	absent_while_b_is_not_read(0);
	lab.half_read[B] = true;		/* it may be among what was not read */
	lab_poll(B);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_poll(B);				/* it never says more */
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

/* What b said before is no newer for it, and what it says then no older. */
static void
s5_a_clock_that_is_set_makes_no_absence_older_or_younger(void **state)
{
	static const int64_t jumps_s[] = { -3600, 3600 };

	for (size_t i = 0; i < nitems(jumps_s); i++) {
		absent_while_b_is_not_read(jumps_s[i]);
		lab.now.wall.us -= jumps_s[i] * 1000000;
		lab_poll(B);
		lab_later(1000);
		assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
		lab_teardown(state);
		lab_setup(state);
	}
}

static void
a_camera_is_gone_when_the_last_switch_is_given_up(void **state)
{
	(void)state;
	absent_while_b_is_not_read(0);
	for (uint32_t missed = 1; missed <= 3; missed++) {
		assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
		lab_report(B, SWITCH_UNREACHABLE, missed);
	}
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

static void
a_switch_that_is_hardly_ever_read_is_not_waited_for_for_ever(void **state)
{
	(void)state;
	absent_while_b_is_not_read(0);
	lab_later(700000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_later(200000);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

/* Its uplink saw it last on the way to b and died with that. When that is known, nothing contradicts a any more. */
static void
a_move_is_told_when_who_contradicts_it_stops_answering(void **state)
{
	(void)state;
	lab.apart = true;
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab_sweep();
	lab_sweep();
	lab_unplug(0);
	lab.fdb[A][0] = (struct seen){ CAMERA, 5, 20 };
	lab_poll(A);
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	lab_dies(CORE, 0);
	lab_poll(A);
	lab_poll(B);
	assert_told_at(EVENT_DEVICE_MOVED, 1, "a", 5, NULL);
}

enum restart { NO_RESTART, BEFORE_IT_MOVES, BEHIND_THE_MOVE, RESTARTS };

/* a was read before it was pulled out there; b has shown it since, and does no more. */
static void
left_behind(enum restart restart)
{
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_later(1000);
	if (restart == BEFORE_IT_MOVES) {
		lab_crash();
		lab_start();
		lab_sweep();
	}
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
	if (restart == BEHIND_THE_MOVE) {
		lab_crash();
		lab_start();
		lab_sweep();
	}
	lab.fdb[B][0] = (struct seen){ 0 };
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
}

static void
what_an_old_table_still_shows_is_no_move_back(void **state)
{
	for (enum restart r = NO_RESTART; r < RESTARTS; r++) {
		left_behind(r);
		lab_unplug(0);
		lab_sweep();
		lab_later(400000);
		lab_sweep();
		lab_sweep();
		assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
		assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
		lab_teardown(state);
		lab_setup(state);
	}
}

static void
what_shows_at_the_old_place_for_good_has_moved_back(void **state)
{
	for (enum restart r = NO_RESTART; r < RESTARTS; r++) {
		left_behind(r);
		lab_later(400000);
		for (int i = 0; i < 4; i++)
			lab_sweep();
		assert_told_at(EVENT_DEVICE_MOVED, 2, "a", 5, NULL);
		assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
		lab_teardown(state);
		lab_setup(state);
	}
}

/* It is gone from b for longer than its ageing time, and a shows it; the core has not been read since and has it on the way to b. */
static void
contradicted_after_a_move(int polls)
{
	lab.apart = true;
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab_sweep();
	lab_sweep();
	lab.fdb[B][0] = (struct seen){ 0 };
	lab.fdb[A][0] = (struct seen){ CAMERA, 5, 20 };
	lab_poll(A);
	for (int i = 0; i < polls; i++)
		lab_poll(B);
	lab_later(299000);
	assert_int_equal(lab.polls_asked[CORE], 0);
	lab_later(1000);
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	assert_int_equal(lab.polls_asked[CORE], 1);
}

static void
a_move_is_told_when_who_contradicts_it_was_asked(void **state)
{
	(void)state;
	contradicted_after_a_move(1);
	lab.fdb[CORE][0] = (struct seen){ 0 };
	lab_poll(CORE);
	assert_told_at(EVENT_DEVICE_MOVED, 1, "a", 5, NULL);
}

static void
who_contradicts_a_move_is_asked_however_often_it_was_absent_before(void **state)
{
	struct event ev;

	(void)state;
	contradicted_after_a_move(6);
	lab.fdb[CORE][0] = (struct seen){ 0 };
	lab_poll(CORE);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
}

static void
a_move_that_stays_contradicted_is_told_without_a_place(void **state)
{
	struct event ev;

	(void)state;
	contradicted_after_a_move(1);
	lab_poll(CORE);
	lab_poll(B);
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "");
	assert_int_equal(ev.verdict, VERDICT_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(stock_is_paged_on_sensitive_sites_and_summed_up_elsewhere),
		CLAIM(a_camera_seen_by_the_core_first_is_one_event_with_its_access_port),
		CLAIM(a_place_that_stays_hidden_is_told_with_less_certainty), CLAIM(moved_gone_and_returned_are_said_once_each),
		CLAIM(a_laptop_is_none_of_our_business), CLAIM(d10_a_forged_neighbour_keeps_its_port_and_is_a_conflict),
		CLAIM(a_restart_repeats_nothing), CLAIM(q1_what_was_not_acknowledged_is_sent_again_after_a_restart_with_its_id),
		CLAIM(an_unreachable_switch_is_told_after_three_misses_and_its_cameras_are_not_gone),
		CLAIM(a_report_about_other_rows_is_asked_for_again_and_changes_nothing),
		CLAIM(d10_a_forged_claim_of_the_real_neighbour_keeps_its_port_too),
		CLAIM(a_standing_conflict_is_not_told_again_by_a_restart_but_when_it_comes_back),
		CLAIM(q2_a_crash_at_any_report_neither_loses_nor_repeats), CLAIM(a_camera_that_only_an_uplink_remembers_is_gone),
		CLAIM(a_camera_that_went_where_nobody_looks_is_not_said_to_be_on_its_old_port),
		CLAIM(a_camera_that_went_from_behind_one_dead_switch_to_behind_another_is_told),
		CLAIM(a_camera_on_its_way_to_behind_a_switch_that_answers_is_told_where_that_shows_it),
		CLAIM(a_changed_policy_finds_what_was_there_and_lets_go_of_it),
		CLAIM(a_policy_changed_between_two_runs_is_one_that_brings_up),
		CLAIM(d6_more_than_eight_on_a_port_are_one_flood_with_their_number_over_a_crash),
		CLAIM(p8_one_alarm_names_the_switch_that_died_and_not_those_behind_it), CLAIM(an_arp_table_gives_the_address),
		CLAIM(a_switch_taken_out_of_the_configuration_leaves_its_devices_stale),
		CLAIM(a_camera_at_a_switch_taken_out_of_the_configuration_is_where_others_show_it),
		CLAIM(one_slow_switch_does_not_hide_a_camera_whose_place_is_clear),
		CLAIM(s5_a_clock_set_back_makes_no_old_port_the_newest),
		CLAIM(p6_a_port_that_got_the_number_of_another_is_not_that_one),
		CLAIM(p6_rows_of_two_numberings_are_never_put_together), CLAIM(what_is_refused_twice_is_taken),
		CLAIM(p6_rows_of_two_addresses_are_never_put_together), CLAIM(what_was_asked_at_the_address_before_is_asked_again),
		CLAIM(a_camera_is_not_gone_while_a_switch_was_not_read_at_its_new_address),
		CLAIM(who_was_absent_before_its_switch_got_another_address_is_not_gone_by_that),
		CLAIM(what_is_behind_a_dead_switch_is_told_at_the_last_uplink_on_the_way),
		CLAIM(what_was_behind_a_dead_switch_is_gone_from_where_it_was),
		CLAIM(what_a_neighbour_with_another_address_says_is_not_said_of_the_laptop_beside_it),
		CLAIM(a_new_camera_on_two_ports_is_told_when_it_is_on_one),
		CLAIM(a_camera_that_was_pulled_out_before_its_switch_was_asked_is_waited_for),
		CLAIM(q2_a_crash_behind_a_move_does_not_take_the_old_port_for_a_move_back),
		CLAIM(a_camera_that_moved_while_its_switch_was_away_is_not_gone_first),
		CLAIM(a_camera_that_starts_with_its_switch_is_not_gone),
		CLAIM(a_camera_is_gone_when_its_absence_is_as_old_as_its_switch_remembers),
		CLAIM(a_camera_is_not_gone_while_a_switch_was_not_read_since), CLAIM(a_camera_is_gone_when_the_last_switch_was_read),
		CLAIM(s5_a_clock_that_is_set_makes_no_absence_older_or_younger),
		CLAIM(a_camera_is_gone_when_the_last_switch_is_given_up),
		CLAIM(a_camera_is_not_gone_while_its_switch_does_not_answer),
		CLAIM(a_switch_that_is_hardly_ever_read_is_not_waited_for_for_ever),
		CLAIM(a_move_is_told_when_who_contradicts_it_stops_answering),
		CLAIM(what_an_old_table_still_shows_is_no_move_back),
		CLAIM(what_shows_at_the_old_place_for_good_has_moved_back),
		CLAIM(a_move_is_told_when_who_contradicts_it_was_asked),
		CLAIM(a_move_that_stays_contradicted_is_told_without_a_place),
		CLAIM(who_contradicts_a_move_is_asked_however_often_it_was_absent_before),
		CLAIM(q5_how_old_the_state_is_shows_over_a_restart_and_a_clock_set_back),
		CLAIM(a_lag_that_comes_later_is_one_uplink_and_no_news_of_the_devices_behind_it), CLAIM(d10_a_lag_gives_a_forger_no_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
