/* tests/unit/test_engine_faults.c: what the engine of engine_lab.h says when something goes wrong around it: a kill at the worst
 * moment, a clock that is set, a reload in the middle of something, and switches and devices that lie. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine_lab.h"
#include "model/rows.h"

/* ---- a baseline that could not be written, a kill; the rest of a failing disk is in test_engine_storage.c */

/* The baselines of the first sweep fail: the ids that they had given out must be free again, or two devices get the same one, and
 * a restart finds one of them only. */
static void
no_two_devices_get_one_id_when_a_baseline_could_not_be_written(void **state)
{
	struct event first = { 0 }, second = { 0 };
	unsigned n;

	(void)state;
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };	/* held: b is asked for a better place */
	lab_poll(CORE);
	lab_poll(A);
	lab_disk_full(true);
	lab_poll(B);
	lab_disk_full(false);
	assert_true(lab_status("counters", "storeFailures") > 0);
	lab.fdb[A][1] = (struct seen){ CAMERA + 1, 5, 20 };
	lab.fdb[CORE][1] = (struct seen){ CAMERA + 1, 1, 20 };
	lab_poll(A);
	lab_later(20000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &first), 1);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &second), 1);
	assert_int_not_equal(first.detection_id, second.detection_id);
	n = lab_told(EVENT_DEVICE_DETECTED, "noc", NULL);
	lab_later(2000);
	lab_stop();
	lab_start();
	lab_sweep();
	lab_sweep();
	lab_later(20000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), n);
}

static bool
has_baseline(const char *name)
{
	json_t *o;
	bool has;

	lab_ask(1001, "switches", name);
	o = json_loadb((const char *)lab.answer.p, lab.answer.len, 0, NULL);
	has = json_is_string(json_object_get(json_array_get(json_object_get(o, "switches"), 0), "baseline"));
	json_decref(o);
	return has;
}

/* Those of the first sweep are one change, and there is no id left for what hangs at a. */
static void
a_baseline_that_cannot_be_written_keeps_no_other_switch_from_its_own(void **state)
{
	struct event ev;

	(void)state;
	lab.fdb[A][0] = (struct seen){ CAMERA, 5, 20 };
	assert_int_equal(store_counter_put(lab.store, COUNTER_DETECTION, UINT32_MAX), 0);
	lab_sweep();
	assert_true(has_baseline("core") && has_baseline("b"));
	assert_false(has_baseline("a"));
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	assert_int_equal(store_counter_put(lab.store, COUNTER_DETECTION, 7), 0);
	lab_poll(A);
	assert_true(has_baseline("a"));
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	assert_int_equal(ev.detection_id, 8);
}

static void
database_break(void)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/camtrapd.db-wal", lab.dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/camtrapd.db", lab.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	for (int i = 0; i < 5000; i++)
		fputs("rubbish", f);
	assert_int_equal(fclose(f), 0);
}

static void
a_lost_database_is_said_even_when_a_kill_came_before_the_word(void **state)
{
	struct store_opened opened;
	struct event ev;

	(void)state;
	lab_sweep();
	lab_stop();
	database_break();
	assert_int_equal(store_open(&lab.store, lab.dir, lab.now.wall, &opened), 0);
	assert_true(opened.state_lost);
	store_close(lab.store);			/* killed here */
	lab_start();
	lab_tick();
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", &ev), 1);
	assert_non_null(strstr(ev.text, "state lost"));
	lab_stop();
	lab_start();
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", NULL), 1);
}

/* After a loss what was known is told again, and says why; what comes afterwards does not. */
static void
s3_what_was_known_is_told_again_as_re_learned(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab.fdb[B][1] = (struct seen){ CAMERA + 1, 6, 20 };	/* nobody else shows it */
	lab_sweep();
	lab_sweep();
	lab_later(2000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &ev), 1);
	assert_null(strstr(ev.text, "re-learned"));
	lab_stop();
	database_break();
	lab.n_out = 0;
	lab_start();
	lab_poll(CORE);
	lab_poll(A);
	lab_report(B, SWITCH_UNREACHABLE, 1);
	lab_later(2000);
	lab_stop();				/* not all is known again: the next run goes on with that */
	lab_start();
	lab_sweep();
	lab_sweep();
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", &ev), 1);
	assert_int_equal(strncmp(ev.text, "state lost: ", 12), 0);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &ev), 1);
	assert_int_equal(strncmp(ev.text, "re-learned: ", 12), 0);
	assert_int_equal(strncmp(ev.evidence, "re-learned: ", 12), 0);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", &ev), 1);
	assert_int_equal(strncmp(ev.text, "re-learned: 1 restricted device ", 32), 0);
	lab_plug(2, CAMERA + 2, A, 7);
	lab_sweep();
	lab_later(2000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 2, &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_NEW);
	assert_null(strstr(ev.text, "re-learned"));
}

/* ---- memory */

#define FIRST_SIGHTINGS (8 + 3 * 16)	/* octets of those of a new station (net.h) */

/* Its row does not change any more: it has to come by itself. Until then nobody is absent from what was not placed. */
static void
a_station_that_found_no_memory_comes_with_the_next_poll_though_nothing_changed(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab.no_realloc = FIRST_SIGHTINGS;
	for (unsigned i = 1; i <= 3; i++) {
		lab_poll(A);
		assert_int_equal(lab.resyncs, i);
		assert_int_equal(lab_status("counters", "stationsRefused"), i);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab.no_realloc = 0;
	lab_poll(A);
	assert_int_equal(lab.resyncs, 3);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 5);
	lab_sweep();
	lab_unplug(0);
	lab_sweep();
	lab_later(301000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

/* The index has 1,024 places and should grow at 768 stations. */
static void
an_index_that_cannot_grow_is_filled_further(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.burst = (struct burst){ .sw = A, .port = 5, .n = 900 };
	lab.no_calloc = 30000;
	lab_poll(A);
	lab.no_calloc = 0;
	assert_int_equal(lab.resyncs, 0);
	assert_int_equal(lab_status("counters", "stationsRefused"), 0);
	lab.burst.n = 1000;
	lab.no_calloc = 30000;
	lab_poll(A);
	lab.no_calloc = 0;
	assert_int_equal(lab.resyncs, 1);
	assert_int_equal(lab_status("counters", "stationsRefused"), 1000 - 1024 / 16 * 15);
	lab_poll(A);
	assert_int_equal(lab.resyncs, 1);
	assert_int_equal(lab_status("counters", "stationsRefused"), 1000 - 1024 / 16 * 15);
}

/* ---- heartbeats, and a receiver that was away for long */

/* The lab's interval is a day. Silence is seen: with a full disk they go on, and nothing but time makes or keeps one. */
static void
q5_a_heartbeat_comes_each_interval_whatever_happens(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	for (unsigned day = 1; day <= 6; day++) {
		assert_int_equal(lab_told(EVENT_HEARTBEAT, "noc", &ev), day);
		lab_disk_full(day >= 3 && day <= 4);
		lab.now.wall.us += day == 5 ? 400 * 86400000000ll : 0;
		lab_later(86399000);
		assert_int_equal(lab_told(EVENT_HEARTBEAT, "noc", NULL), day);
		lab_later(1000);
	}
	assert_int_equal(strncmp(ev.text, "3 switches, 0 not answering", 27), 0);
	assert_int_equal(lab_status("counters", "eventsInMemory"), 0);
}


static void
outbox_fill(const char *receiver, int n)
{
	struct event e = { .type = EVENT_SUMMARY, .severity = SEVERITY_INFO, .at = lab.now.wall };
	struct store_opened opened;
	uint64_t row;

	assert_int_equal(store_open(&lab.store, lab.dir, lab.now.wall, &opened), 0);
	assert_int_equal(store_begin(lab.store), 0);
	for (int i = 0; i < n; i++) {
		e.sequence = (uint32_t)i + 1;
		snprintf(e.id, sizeof e.id, "%026d", i);
		snprintf(e.switch_name, sizeof e.switch_name, "sw-%d", i);
		assert_int_equal(store_outbox_put(lab.store, receiver, &e, &row), 0);
	}
	assert_int_equal(store_commit(lab.store), 0);
	store_close(lab.store);
}

/* It answers; the others do not. */
static void
only_answers(const char *receiver)
{
	for (size_t i = 0; i < lab.n_out; i++)
		if (strcmp(lab.out[i].receiver, receiver) == 0) {
			struct msg_delivered d = { lab.out[i].row, DELIVERY_ACKNOWLEDGED, 1, "" };

			engine_delivered(lab.engine, &d, lab.now);
		}
	lab_tick();
}

static unsigned
troubles(const char *receiver, enum event_type type, const char *begin)
{
	unsigned n = 0;

	for (size_t i = 0; i < lab.n_out; i++)
		n += lab.out[i].event.type == type && strcmp(lab.out[i].receiver, receiver) == 0 &&
		    strncmp(lab.out[i].event.text, begin, strlen(begin)) == 0;
	return n;
}

static void
q3_a_queue_that_overflows_is_one_alarm_and_its_end_another(void **state)
{
	unsigned over = 0, ended = 0, rows = 0;

	(void)state;
	lab_stop();
	outbox_fill("noc", 100000);
	lab.acknowledge = false;
	lab_start();
	for (int i = 0; i < 5; i++) {
		lab_plug(i, CAMERA + (uint64_t)i, A, 5);
		lab_sweep();
		lab_later(1000);
		only_answers("second");
	}
	assert_int_equal(troubles("second", EVENT_AGENT_TROUBLE, "queue overflow: noc "), 1);
	lab.acknowledge = true;
	for (int i = 0; i < 400 && ended == 0; i++) {
		lab.n_out = 0;
		lab_later(31000);		/* also past what nobody answered before */
		over += troubles("second", EVENT_AGENT_TROUBLE, "queue overflow");
		ended += troubles("second", EVENT_AGENT_RECOVERED, "queue overflow over: ");
		rows += troubles("noc", EVENT_SUMMARY, "");
	}
	assert_int_equal(over, 0);
	assert_int_equal(ended, 1);
	assert_in_range(rows, 9900, 10500);
}

/* ---- clocks, and what comes in an unlucky order */

static void
s5_a_clock_set_back_makes_no_new_camera_an_old_one(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.now.wall.us -= 3600ll * 1000000;
	lab_plug(0, CAMERA, B, 6);		/* where stock would only be counted */
	lab_sweep();
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_NEW);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", NULL), 0);
}

#define TEN_YEARS_US (3650ll * 86400 * 1000000)

static int
count_event(void *arg, const struct event *e)
{
	(void)e;
	++*(int *)arg;
	return 0;
}

static int
events_on_disk(void)
{
	int n = 0;

	assert_int_equal(store_events(lab.store, (struct wall){ INT64_MIN }, 0, 1000, count_event, &n), 0);
	return n;
}

/* Everything that waits, ages or is kept, over jumps of the wall clock: nothing happens sooner, later, twice or not at all. */
static void
s5_a_clock_that_jumps_ten_years_changes_nothing(void **state)
{
	static const int64_t jumps[] = { TEN_YEARS_US, -2 * TEN_YEARS_US, TEN_YEARS_US };
	size_t before;
	int logged;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_later(2000);
	lab.acknowledge = false;
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();				/* in flight to both while the clock jumps */
	before = lab.n_out;
	logged = events_on_disk();
	for (size_t i = 0; i < nitems(jumps); i++) {
		lab.now.wall.us += jumps[i];
		lab_tick();
		lab_sweep();
		lab_sweep();
		lab_later(1000);
		assert_int_equal(lab.n_out, before);	/* not sent again, nothing new to say, no heartbeat too many */
		assert_int_equal(lab_status("devices", "present"), 2);
	}
	for (size_t i = 0; i < lab.n_out; i++) {
		struct msg_delivered d = { lab.out[i].row, DELIVERY_ACKNOWLEDGED, 1, "" };

		engine_delivered(lab.engine, &d, lab.now);
	}
	lab.acknowledge = true;
	/* Gone takes two complete polls and the ageing time of 300 s, by the clock that does not jump. */
	lab_unplug(0);
	lab_sweep();
	lab.now.wall.us += TEN_YEARS_US;
	lab_sweep();
	lab_later(250000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab_later(51000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
	/* Nothing is pruned by a clock that was set, and numbers go on. */
	for (int h = 0; h < 3; h++)
		lab_later(3600000);
	assert_int_equal(events_on_disk(), logged + 1);
	lab_stop();
	lab.now.wall.us -= TEN_YEARS_US;
	before = lab.n_out;
	lab_start();
	lab_sweep();
	lab_later(2 * 3600000);
	assert_int_equal(events_on_disk(), logged + 1);
	for (size_t i = before; i < lab.n_out; i++)
		assert_int_equal(lab.out[i].event.type, EVENT_HEARTBEAT);
	for (size_t i = 1; i < lab.n_out; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(lab.out[i].event.sequence >= lab.out[k].event.sequence);
}

/* The lab keeps a day: what is older goes by itself, and only while the clock can be believed (above). */
static void
s6_history_ends_with_retention(void **state)
{
	(void)state;
	lab_sweep();
	for (uint32_t i = 0; i < 20; i++) {
		lab_plug(0, CAMERA, A, 5 + i % 2);
		lab_sweep();
		lab_later(3 * 3600000);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL) + lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 20);
	assert_in_range(events_on_disk(), 7, 9);
}

static int
count_detection(void *arg, const struct detection *d)
{
	(void)d;
	++*(int *)arg;
	return 0;
}

/* A device that has been gone for all of retention takes no room from those that come. */
static void
s6_what_is_gone_for_long_is_forgotten(void **state)
{
	struct event first, again;
	int n = 0;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();
	lab_sweep();
	lab_unplug(0);
	lab_sweep();
	lab_later(301000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 1);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &first), 1);
	for (int h = 0; h < 23; h++)
		lab_later(3600000);
	assert_int_equal(lab_status("devices", "gone"), 1);
	for (int h = 0; h < 3; h++)
		lab_later(3600000);
	assert_int_equal(lab_status("devices", "gone"), 0);
	assert_int_equal(lab_status("devices", "present"), 1);
	assert_int_equal(store_detections(lab.store, count_detection, &n), 0);
	assert_int_equal(n, 1);
	lab_plug(0, CAMERA, A, 7);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &again), 2);
	assert_int_equal(again.origin, ORIGIN_NEW);
	assert_true(again.detection_id > first.detection_id + 1);	/* never given again */
}

/* A machine without a battery begins in 1970: what it says then is marked, in all that a receiver shows; and once it is set, not. */
static void
s5_before_the_clock_is_set_events_say_so(void **state)
{
	struct msg_process m = { .who = "poller", .up = false, .restarts = 1, .why = "died" };
	struct event ev;

	(void)state;
	lab.now.wall.us = 60000000;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	engine_process(lab.engine, &m, lab.now);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(strncmp(ev.evidence, "clock-unset: ", 13), 0);
	assert_int_equal(strncmp(ev.text, "clock-unset: deviceDetected ", 28), 0);
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", &ev), 1);
	assert_string_equal(ev.text, "clock-unset: process poller died (restart 1)");
	lab.now.wall.us = 4102444800000000;
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &ev), 1);
	assert_null(strstr(ev.text, "clock-unset"));
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 2);
}

/* A large network has to wait for the next look at its ports: what a switch shows with its first complete poll in that time was
 * there before, too. */
static void
a_first_poll_that_has_to_wait_for_its_turn_is_a_baseline_all_the_same(void **state)
{
	(void)state;
	lab.ports = 5000;
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab_poll(CORE);
	lab_poll(A);
	lab_report(B, SWITCH_UNREACHABLE, 1);
	lab_later(20000);
	lab.ports = 5001;
	lab_poll(CORE);				/* another look at all ports, and the next one has to wait */
	lab_poll(B);
	lab_later(50);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", NULL), 1);
}

static void
a_poll_without_the_interface_table_makes_no_access_port_of_an_uplink(void **state)
{
	struct event ev = { 0 };

	(void)state;
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab.core_has_no_ports = true;
	lab_poll(CORE);
	lab_poll(A);
	lab_report(B, SWITCH_UNREACHABLE, 1);
	lab_poll(CORE);
	lab_poll(CORE);
	lab_later(16000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_not_equal(ev.verdict, VERDICT_ACCESS);
	assert_int_not_equal(ev.verdict, VERDICT_SHARED);
}

/* ---- what changes while a finding is held */

static void
a_finding_whose_switch_is_dropped_before_its_time_is_told_where_it_was_seen(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 2, 20 };
	lab_poll(CORE);				/* held: b is asked for a better place */
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab.left_out[CORE] = true;
	lab_reconfigure();
	lab_later(20000);
	lab_poll(A);
	lab_poll(B);
	lab_later(20000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "core");
	assert_int_equal(ev.if_index, 2);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_switch_dropped_in_the_first_sweep_does_not_keep_it_from_ending(void **state)
{
	struct event ev;

	(void)state;
	lab.fdb[CORE][0] = (struct seen){ CAMERA, 5, 20 };
	lab.fdb[CORE][1] = (struct seen){ LAPTOP, 5, 20 };
	lab_poll(CORE);				/* held: its port is shared, and the sweep goes on */
	assert_int_equal(lab_status("devices", "present"), 1);
	lab.fdb[A][2] = (struct seen){ CAMERA + 1, 6, 20 };
	lab_poll(A);
	lab.left_out[CORE] = true;
	lab_reconfigure();
	lab_poll(B);
	lab_later(20000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &ev), 1);
	assert_string_equal(ev.switch_name, "core");
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);	/* nobody had looked there before */
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
}

static void
a_finding_whose_switch_dies_before_its_time_is_told_and_placed_later(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_plug(1, LAPTOP, A, 5);		/* a shared port: its place is not clear before all were asked */
	lab_poll(A);
	lab_dies(A, 60000);
	assert_int_equal(lab_told(EVENT_SWITCH_UNREACHABLE, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab_poll(CORE);
	lab_poll(B);
	lab_later(20000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	lab_poll(A);				/* it is back */
	lab_later(1000);
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_CHANGED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_policy_taken_away_holds_up_no_summary(void **state)
{
	struct event ev;

	(void)state;
	lab.policies = ABOUT_DELL_TOO;
	lab_reconfigure();
	lab_plug(0, CAMERA, B, 6);
	lab_plug(1, LAPTOP, B, 6);
	lab_poll(B);
	lab_later(1000);
	/* All are held in the sweep: both on the shared port, and the core itself, a Dell that b hears and nobody has read yet. */
	assert_int_equal(lab_status("devices", "present"), 3);
	lab.policies = ABOUT_HIKVISION;
	lab_reconfigure();
	for (int i = 0; i < 3; i++) {
		lab_sweep();
		lab_later(60000);
	}
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", &ev), 1);
	assert_int_equal(ev.count, 1);
}

static void
stock_of_a_site_that_is_paged_from_now_on_is_no_flood(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, B, 6);
	lab_poll(B);
	lab_later(31000);
	lab_poll(B);				/* found, for a summary that waits for the sweep */
	lab.page_depot = true;
	lab_reconfigure();
	lab_poll(CORE);
	lab_poll(A);
	lab_later(2000);
	lab_later(61000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	assert_int_equal(lab_told(EVENT_SUMMARY, "noc", NULL), 0);
	assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", NULL), 0);
}

static void
who_asks_anew_gets_no_answer_to_an_old_question(void **state)
{
	(void)state;
	lab_sweep();
	lab_ask(1, "poll", "b");
	lab_poll(B);
	assert_int_equal(lab.answers, 1);
	lab_ask(1, "poll", "b");
	engine_views_gone(lab.engine);		/* the next one begins at question 1 again */
	lab_poll(B);
	lab_later(61000);
	assert_int_equal(lab.answers, 1);
}

/* ---- devices and switches that lie */

static void
d6_a_flood_that_ends_or_begins_again_is_no_flood_of_gone_and_returned(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.burst = (struct burst){ .sw = A, .port = 5, .n = 100 };
	lab_sweep();
	lab_later(61000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", NULL), 1);
	lab.burst.n = 0;
	lab_sweep();
	lab_later(400000);
	lab_sweep();
	lab_sweep();
	assert_int_equal(lab_told(EVENT_DEVICE_GONE, "noc", NULL), 8);	/* those that were told singly */
	lab.burst.n = 100;
	lab_sweep();
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_RETURNED, "noc", NULL), 8);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 8);
}

static void
d6_addresses_of_a_past_flood_take_no_room_from_a_camera(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.burst = (struct burst){ .sw = A, .port = 5, .n = 8600 };
	for (int i = 0; i < 3; i++) {		/* two at a time there is room for */
		lab_poll(A);
		lab_later(1000);
		lab.burst.from += lab.burst.n;
	}
	lab.burst.n = 0;
	lab_sweep();
	lab_later(70000);
	lab_plug(0, CAMERA + 100000, A, 7);
	lab_sweep();
	lab_later(20000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 100000, NULL), 1);
	assert_int_equal(lab_status("counters", "stationsRefused"), 0);
}

static void
d6_a_port_that_makes_up_addresses_takes_no_more_than_512_findings(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.burst = (struct burst){ .sw = A, .port = 5, .n = 400 };
	lab_poll(A);
	lab_later(1000);
	lab.burst.from = 400;
	lab_poll(A);
	lab_later(1000);
	assert_int_equal(lab_status("devices", "open"), 512);
	assert_int_equal(lab_status("counters", "findingsRefused"), 800 - 512);
	lab_plug(0, CAMERA + 100000, A, 7);	/* its neighbours do not suffer from that */
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 100000, &ev), 1);
	assert_int_equal(ev.if_index, 7);
	lab_later(61000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", &ev), 1);
	assert_int_equal(ev.count, 512 - 8);
}

static void
devices_without_a_place_are_no_flood_of_a_port(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.burst = (struct burst){ .sw = A, .port = 5, .second_port = 6, .n = 12 };
	lab_sweep();
	lab_later(16000);
	lab_later(61000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 12);
	assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", NULL), 0);
}

static void
d6_devices_without_a_place_are_a_flood_of_their_switch(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.burst = (struct burst){ .sw = A, .port = 5, .second_port = 6, .n = 100 };
	lab_sweep();
	lab_later(16000);
	lab_later(61000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 32);
	assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", &ev), 1);
	assert_int_equal(ev.count, 100 - 32);
	assert_string_equal(ev.switch_name, "a");
}

static void
d10_a_conflict_is_not_told_again_because_the_other_end_missed_a_poll(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab.forged = lab_bridge[B];
	lab_plug(0, CAMERA, A, 9);
	for (int i = 0; i < 4; i++)
		lab_sweep();
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 1);
	for (int k = 0; k < 3; k++) {
		lab_report(B, SWITCH_UNREACHABLE, 1);
		for (int i = 0; i < 4; i++)
			lab_sweep();
	}
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 1);
}

static void
d10_one_switch_that_lies_on_all_its_ports_is_sixteen_conflicts_and_a_number(void **state)
{
	(void)state;
	lab.ports = 70;
	lab.borrowed = 60;
	for (int i = 0; i < 4; i++) {
		lab_sweep();
		lab_later(1000);
	}
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 16);
	assert_int_equal(lab_status("counters", "conflictsUntold"), 60 - 16);
}

static void
what_other_processes_say_in_vain_is_counted(void **state)
{
	const struct msg_delivered of_nothing = { 4711, DELIVERY_ACKNOWLEDGED, 1, "" };

	(void)state;
	lab_sweep();
	assert_int_equal(lab_status("counters", "answersStray"), 0);
	lab_plug(0, CAMERA, A, 5);
	lab.acknowledge = false;
	lab_sweep();
	lab_later(1000);
	engine_delivered(lab.engine, &of_nothing, lab.now);
	assert_int_equal(lab_status("counters", "answersStray"), 1);
	engine_messages_dropped(lab.engine, 3);
	assert_int_equal(lab_status("counters", "messagesDropped"), 3);
	assert_int_equal(lab_status("counters", "outboxRowsLate"), 0);
}

static void
what_is_left_out_of_a_switch_that_restarts_is_counted(void **state)
{
	(void)state;
	lab_sweep();
	lab.restarts[A] = true;
	for (int i = 0; i < 3; i++) {
		lab_poll(A);
		assert_int_equal(lab_status("counters", "reportsRefused"), i < 2 ? i + 1 : 2);	/* the third one is taken */
	}
}

/* 36 MB of rows that mean nothing, of a table that is never read to its end: each poll others. */
static void
report_rows_without_end(uint8_t nth)
{
	const struct msg_report head = { .key = A + 1, .rows = REPORT_ROWS, .state = SWITCH_INCOMPLETE, .began = lab.now.mono };
	static uint8_t row[60002] = { 60000 >> 8, 60000 & 255, ROW_ARP };

	engine_report_begin(lab.engine, &head, lab.now);
	row[3] = nth;
	for (unsigned i = 0; i < 600; i++) {
		struct msg_in in = msg_in_of(row, sizeof row);

		row[4] = (uint8_t)(i >> 8);
		row[5] = (uint8_t)i;
		engine_report_rows(lab.engine, head.key, &in);
	}
	engine_report_end(lab.engine, head.key, lab.now);
}

static void
p2_rows_of_incomplete_tables_do_not_grow_without_end_and_that_is_counted(void **state)
{
	(void)state;
	lab_sweep();
	for (uint8_t i = 0; i < 3; i++) {
		report_rows_without_end(i);
		assert_int_equal(lab_status("counters", "tablesForgotten"), i);
	}
	assert_int_equal(lab.resyncs, 0);
}

/* R3: more of them than are kept in mind cost no more than a look at each, are counted, and take nobody's place. */
static void
d10_claims_on_a_hundred_thousand_ports_are_counted(void **state)
{
	enum { PORTS = 100100 };
	const clock_t before = clock();

	(void)state;
	lab_sweep();
	lab.ports = 9 + PORTS;
	lab.claimed = PORTS;
	for (int i = 0; i < 3; i++) {
		lab_poll(A);
		lab_poll(B);
		lab_later(600000);
	}
	assert_int_equal(lab_told(EVENT_CONFLICT, "noc", NULL), 16);
	assert_int_equal(lab_status("counters", "conflictsUntold"), PORTS - 16);
	lab_poll(A);
	lab_later(600000);
	assert_int_equal(lab_status("counters", "conflictsUntold"), PORTS - 16);	/* each once */
	print_message("%.1f s\n", (double)(clock() - before) / CLOCKS_PER_SEC);
}

static void
a_device_that_jumps_about_is_told_four_times_and_then_where_it_stays(void **state)
{
	struct event ev;

	(void)state;
	lab_sweep();
	lab_sweep();
	for (uint32_t i = 0; i < 20; i++) {
		lab_plug(0, CAMERA, A, 5 + i % 2);
		lab_sweep();
		lab_later(1000);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 4);
	assert_int_equal(lab_status("counters", "movesDamped"), 15);
	lab_later(601000);
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", &ev), 5);
	assert_int_equal(ev.if_index, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(no_two_devices_get_one_id_when_a_baseline_could_not_be_written),
		CLAIM(a_baseline_that_cannot_be_written_keeps_no_other_switch_from_its_own),
		CLAIM(a_lost_database_is_said_even_when_a_kill_came_before_the_word),
		CLAIM(a_station_that_found_no_memory_comes_with_the_next_poll_though_nothing_changed),
		CLAIM(an_index_that_cannot_grow_is_filled_further),
		CLAIM(q5_a_heartbeat_comes_each_interval_whatever_happens), CLAIM(q3_a_queue_that_overflows_is_one_alarm_and_its_end_another),
		CLAIM(s3_what_was_known_is_told_again_as_re_learned), CLAIM(s5_a_clock_that_jumps_ten_years_changes_nothing),
		CLAIM(s5_before_the_clock_is_set_events_say_so), CLAIM(s6_history_ends_with_retention),
		CLAIM(s6_what_is_gone_for_long_is_forgotten),
		CLAIM(s5_a_clock_set_back_makes_no_new_camera_an_old_one),
		CLAIM(a_first_poll_that_has_to_wait_for_its_turn_is_a_baseline_all_the_same),
		CLAIM(a_poll_without_the_interface_table_makes_no_access_port_of_an_uplink),
		CLAIM(a_finding_whose_switch_is_dropped_before_its_time_is_told_where_it_was_seen),
		CLAIM(a_switch_dropped_in_the_first_sweep_does_not_keep_it_from_ending),
		CLAIM(a_finding_whose_switch_dies_before_its_time_is_told_and_placed_later),
		CLAIM(a_policy_taken_away_holds_up_no_summary), CLAIM(stock_of_a_site_that_is_paged_from_now_on_is_no_flood),
		CLAIM(who_asks_anew_gets_no_answer_to_an_old_question),
		CLAIM(d6_a_flood_that_ends_or_begins_again_is_no_flood_of_gone_and_returned),
		CLAIM(d6_addresses_of_a_past_flood_take_no_room_from_a_camera),
		CLAIM(d6_a_port_that_makes_up_addresses_takes_no_more_than_512_findings),
		CLAIM(devices_without_a_place_are_no_flood_of_a_port), CLAIM(d6_devices_without_a_place_are_a_flood_of_their_switch),
		CLAIM(d10_a_conflict_is_not_told_again_because_the_other_end_missed_a_poll),
		CLAIM(what_other_processes_say_in_vain_is_counted),
		CLAIM(what_is_left_out_of_a_switch_that_restarts_is_counted),
		CLAIM(p2_rows_of_incomplete_tables_do_not_grow_without_end_and_that_is_counted),
		CLAIM(d10_claims_on_a_hundred_thousand_ports_are_counted),
		CLAIM(d10_one_switch_that_lies_on_all_its_ports_is_sixteen_conflicts_and_a_number),
		CLAIM(a_device_that_jumps_about_is_told_four_times_and_then_where_it_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
