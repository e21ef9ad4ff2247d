/* tests/unit/test_engine_storage.c: Q1, S1, S2 and S3: what the engine of engine_lab.h does while its disk takes nothing, takes only some
 * writes, or is broken: it goes on finding and telling from memory, and when the disk is well nothing is missing and nothing twice. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_lab.h"

/* ---- what is on disk */

struct log { char id[1024][ULID_TEXT]; enum event_type type[1024]; size_t n; };

static int
log_line(void *arg, const struct event *e)
{
	struct log *l = arg;

	assert_true(l->n < nitems(l->id));
	memcpy(l->id[l->n], e->id, sizeof e->id);
	l->type[l->n++] = e->type;
	return 0;
}

static const struct log *
event_log(void)
{
	static struct log l;

	l.n = 0;
	assert_int_equal(store_events(lab.store, (struct wall){ 0 }, 0, nitems(l.id), log_line, &l), 0);
	return &l;
}

static bool
is_logged(const char *id)
{
	const struct log *l = event_log();

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->id[i], id) == 0)
			return true;
	return false;
}

static int
count_rows(void *arg, const struct outbox_row *r)
{
	(void)r;
	++*(int *)arg;
	return 0;
}

static int
outbox_on_disk(void)
{
	int n = 0;

	assert_int_equal(store_outbox(lab.store, count_rows, &n), 0);
	return n;
}

static bool
is_sound(void)
{
	char path[128];
	sqlite3_stmt *q;
	sqlite3 *db;
	bool ok;

	snprintf(path, sizeof path, "%s/camtrapd.db", lab.dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &q, NULL), SQLITE_OK);
	ok = sqlite3_step(q) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0;
	sqlite3_finalize(q);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &q, NULL), SQLITE_OK);
	ok = ok && sqlite3_step(q) == SQLITE_DONE;
	sqlite3_finalize(q);
	sqlite3_close(db);
	return ok;
}

/* Notifications that went out, sent again or not. */
static unsigned
sent(enum event_type type)
{
	unsigned n = 0;

	for (size_t i = 0; i < lab.n_out; i++)
		n += lab.out[i].event.type == type;
	return n;
}

static void
acknowledge(size_t from)
{
	for (size_t i = from; i < lab.n_out; i++) {
		struct msg_delivered d = { lab.out[i].row, DELIVERY_ACKNOWLEDGED, 1, "" };

		engine_delivered(lab.engine, &d, lab.now);
	}
	lab_tick();
}

/* ---- S2 */

static void
s2_with_a_full_disk_cameras_are_told_and_so_is_the_disk(void **state)
{
	static const char *const receivers[] = { "noc", "second" };
	struct event ev, trouble;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_disk_full(true);
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(1000);
	for (size_t i = 0; i < nitems(receivers); i++) {
		assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, receivers[i], &ev), 1);
		assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, receivers[i], &trouble), 1);
	}
	assert_int_equal(ev.origin, ORIGIN_NEW);
	assert_int_equal(strncmp(trouble.text, "storage failed: ", 16), 0);
	print_message("S2: %s\n", trouble.text);
	assert_false(is_logged(ev.id));
	assert_true(lab_status("counters", "eventsInMemory") == 2 && lab_status("counters", "eventsFromMemory") == 2);
	lab_disk_full(false);
	lab_later(10000);			/* by itself */
	assert_true(is_logged(ev.id) && is_logged(trouble.id));
	assert_int_equal(lab_status("counters", "eventsInMemory"), 0);
	assert_int_equal(outbox_on_disk(), 0);	/* acknowledged meanwhile */
	assert_int_equal(lab_told(EVENT_AGENT_RECOVERED, "noc", NULL), 0);
	lab_later(10000);
	assert_int_equal(lab_told(EVENT_AGENT_RECOVERED, "noc", &ev), 1);
	print_message("S2: %s\n", ev.text);
	assert_int_equal(sent(EVENT_DEVICE_DETECTED) + sent(EVENT_AGENT_TROUBLE) + sent(EVENT_AGENT_RECOVERED), 6);
	lab_stop();
	lab_start();
	lab_sweep();
	lab_later(20000);
	assert_int_equal(sent(EVENT_DEVICE_DETECTED) + sent(EVENT_AGENT_TROUBLE) + sent(EVENT_AGENT_RECOVERED), 6);
	assert_true(is_sound());
}

/* Whoever was away meanwhile gets it from disk, with the id it had in memory; what was in flight when it was written counts. */
static void
s2_what_nobody_took_is_written_and_told_again_with_its_id(void **state)
{
	struct event first, again;
	size_t before;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab.acknowledge = false;
	lab_disk_full(true);
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", &first), 1);
	lab_disk_full(false);
	lab_later(8000);
	assert_int_equal(outbox_on_disk(), 4);	/* the camera and the disk, to two */
	assert_true(is_logged(first.id));
	before = lab.n_out;
	acknowledge(0);				/* by the numbers that they had in memory */
	lab_later(1000);
	assert_int_equal(outbox_on_disk(), 0);
	assert_int_equal(lab.n_out, before);
	/* The same without an acknowledgement, and killed after it was written. */
	lab_disk_full(true);
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &first), 1);
	lab_disk_full(false);
	lab_later(8000);
	lab_crash();
	lab_start();
	lab.acknowledge = true;
	lab_later(1000);
	lab_sweep();
	lab_later(20000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &again), 1);
	assert_string_equal(first.id, again.id);
	assert_int_equal(first.detection_id, again.detection_id);
}

/* Killed before the disk was well: the next engine does not know of it, finds it anew, and gives its numbers to nobody else. */
/* As q2_a_crash_behind_a_move... of test_engine.c: what was told from memory goes to disk with its tables, too. */
static void
s2_a_crash_behind_a_move_told_from_memory_is_no_move_back(void **state)
{
	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_later(1000);
	lab_disk_full(true);
	lab.fdb[B][0] = (struct seen){ CAMERA, 6, 20 };
	lab_poll(B);
	assert_int_equal(lab_told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
	lab_later(1000);
	lab_disk_full(false);
	lab_later(10000);
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

static void
s2_numbers_told_from_memory_are_never_given_twice(void **state)
{
	struct event before, other, anew;

	(void)state;
	lab_sweep();
	lab_sweep();
	lab_disk_full(true);
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &before), 1);
	lab_crash();
	lab_disk_full(false);
	lab_start();
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();
	lab_later(20000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, &other), 1);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &anew), 2);	/* by another id: the promise for this time */
	assert_int_not_equal(before.detection_id, other.detection_id);
	assert_int_not_equal(before.detection_id, anew.detection_id);
	assert_int_not_equal(before.sequence, other.sequence);
	assert_int_not_equal(before.sequence, anew.sequence);
}

/* What the memory holds is bounded, what it does not hold is counted; what everybody has makes room. */
static void
s2_memory_is_bounded_and_drops_are_counted(void **state)
{
	struct msg_process m = { .who = "poller", .up = false, .restarts = 1, .why = "died" };
	long long logged;

	(void)state;
	lab_sweep();
	lab_disk_full(true);
	for (int i = 0; i < 9000; i++) {
		engine_process(lab.engine, &m, lab.now);
		lab_tick();
		lab_later(20);			/* no more than a receiver is sent in a second */
		lab.n_out = 0;
	}
	lab_later(4000);
	assert_in_range(lab_status("counters", "eventsInMemory"), 7000, 8192);
	logged = lab_status("counters", "eventsDropped");
	assert_true(logged >= 9001 - 8192);	/* from the log: receivers have them */
	assert_int_equal(lab_status("counters", "eventsInMemory") + logged, 9001);
	lab.acknowledge = false;
	for (int i = 0; i < 9000; i++) {
		engine_process(lab.engine, &m, lab.now);
		lab.n_out = 0;
	}
	assert_int_equal(lab_status("counters", "eventsInMemory"), 8192);
	assert_int_equal(lab_status("counters", "eventsDropped") + lab_status("counters", "eventsInMemory") + 64, 18001);
	/* A camera that does not fit is not forgotten: told when there is room. */
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_disk_full(false);
	lab.acknowledge = true;
	for (int i = 0; i < 400 && lab_told(EVENT_DEVICE_DETECTED, "noc", NULL) == 0; i++) {
		lab.n_out = 0;
		lab_later(1000);
	}
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_true(is_sound());
}

/* A device that jumps about for a day: no more than so many of its places are kept. */
static void
s2_places_in_memory_are_bounded(void **state)
{
	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	lab_disk_full(true);
	for (uint32_t i = 0; i < 8300; i++) {
		lab_plug(0, CAMERA, A, 5 + i % 2);
		lab_poll(A);
		lab.n_out = 0;
	}
	assert_int_equal(lab_status("counters", "eventsDropped"), 1024);
	lab_disk_full(false);
	lab_later(8000);
	assert_int_equal(lab_status("counters", "eventsInMemory"), 0);
	assert_true(is_sound());
}

/* ---- the same story with and without a disk that fails somewhere in it */

#define STEPS 12

static void
step(int i)
{
	switch (i) {
	case 0: lab_plug(0, CAMERA, A, 5); lab_sweep(); break;
	case 1: lab_plug(1, CAMERA + 1, B, 6); lab_sweep(); break;		/* a site that is not paged */
	case 2: lab_sweep(); lab_later(2000); break;
	case 3: lab_plug(0, CAMERA, A, 7); lab_sweep(); break;			/* moved */
	case 4: lab_plug(2, CAMERA + 2, A, 8); lab_sweep(); lab_later(2000); break;
	case 5: lab_unplug(2); lab_sweep(); lab_later(301000); break;
	case 6: lab_sweep(); lab_sweep(); lab_later(1000); break;		/* gone */
	case 7: for (uint32_t m = 1; m <= 3; m++) lab_report(B, SWITCH_UNREACHABLE, m); break;
	case 8: lab_poll(B); lab_later(1000); break;
	case 9: lab_plug(2, CAMERA + 2, A, 8); lab_sweep(); lab_later(2000); break;	/* returned */
	case 10: lab.policies = ABOUT_NOBODY; lab_reconfigure(); lab_later(2000); break;
	default: lab.policies = ABOUT_HIKVISION; lab_reconfigure(); lab_sweep(); lab_later(2000); break;
	}
}

struct ending { char text[4096]; size_t n; };

static int
ending_device(void *arg, const struct detection *d)
{
	struct ending *e = arg;

	e->n += (size_t)snprintf(e->text + e->n, sizeof e->text - e->n, "%012llx %d %d %d %s %s told %d\n", (unsigned long long)mac_u64(d->mac),
	    (int)d->presence, (int)d->handling, (int)d->origin, d->location.place.switch_name, d->location.place.port, (int)d->told);
	return 0;
}

static int
ending_presence(void *arg, const struct place *at, struct wall from, struct wall to)
{
	struct ending *e = arg;

	(void)from, (void)to;
	e->n += (size_t)snprintf(e->text + e->n, sizeof e->text - e->n, "  was at %s %s\n", at->switch_name, at->port);
	return 0;
}

static int
ending_presences(void *arg, const struct detection *d)
{
	return store_presences(lab.store, d->id, ending_presence, arg);
}

static int
ending_event(void *arg, const struct event *ev)
{
	struct ending *e = arg;

	if (ev->type != EVENT_AGENT_TROUBLE && ev->type != EVENT_AGENT_RECOVERED)
		e->n += (size_t)snprintf(e->text + e->n, sizeof e->text - e->n, "%s %012llx %u\n", event_word(ev->type),
		    (unsigned long long)mac_u64(ev->mac), ev->count);
	return 0;
}

/* What is on disk when all is over, and what the receivers have got. */
static void
ending_of(struct ending *e)
{
	*e = (struct ending){ .n = 0 };
	assert_int_equal(store_detections(lab.store, ending_device, e), 0);
	assert_int_equal(store_detections(lab.store, ending_presences, e), 0);
	assert_int_equal(store_events(lab.store, (struct wall){ 0 }, 0, 1000, ending_event, e), 0);
	assert_true(e->n < sizeof e->text);
	assert_int_equal(outbox_on_disk(), 0);
	assert_true(is_sound());
	for (size_t i = 0; i < lab.n_out; i++) {
		if (lab.out[i].event.type != EVENT_HEARTBEAT && !is_logged(lab.out[i].event.id))
			fail_msg("not in the log: %s", lab.out[i].event.text);
		for (size_t k = 0; k < i; k++)		/* nothing was told again */
			assert_false(strcmp(lab.out[i].event.id, lab.out[k].event.id) == 0 &&
			    strcmp(lab.out[i].receiver, lab.out[k].receiver) == 0);
	}
}

/* From the beginning, with the disk full from step `from` until before step `until`; writes fail in other ways when err is set. */
static void
story(int from, int until, int err, struct ending *e)
{
	void *none = NULL;

	for (int i = 0; i < STEPS; i++) {
		if (i == from && err == 0)
			lab_disk_full(true);
		if (i == from && err != 0)
			lab_writes_fail(1, LONG_MAX, err);
		if (i == until) {
			lab_disk_full(false);
			lab_writes_fail(0, 0, 0);
		}
		step(i);
	}
	lab_disk_full(false);
	lab_writes_fail(0, 0, 0);
	lab_later(8000);
	lab_later(11000);
	lab_later(1000);
	ending_of(e);
	assert_int_equal(lab_teardown(&none), 0);
	assert_int_equal(lab_setup(&none), 0);
}

static void
s2_a_story_ends_as_if_the_disk_had_never_failed(void **state)
{
	static const int errors[] = { 0, EIO, ENOSPC, EDQUOT, EROFS };
	struct ending well, failed;
	int n = 0;

	(void)state;
	story(-1, -1, 0, &well);
	print_message("%s", well.text);
	for (int from = 0; from < STEPS; from++)
		for (int until = from + 1; until <= STEPS; until += 1 + (until - from)) {
			story(from, until, errors[n++ % (int)nitems(errors)], &failed);
			if (strcmp(well.text, failed.text) != 0)
				print_error("disk failing from step %d until %d (error %d):\n%s", from, until,
				    errors[(n - 1) % (int)nitems(errors)], failed.text);
			assert_string_equal(failed.text, well.text);
		}
	print_message("S2: the same end over %d failures\n", n);
}

/* The nth write of the database fails, for many n, and only that one or the few behind it. */
static void
s2_one_write_that_fails_loses_nothing(void **state)
{
	struct ending well, failed;
	void *none = NULL;
	int n = 0;
	long all;

	(void)state;
	lab_writes_fail(0, 0, 0);
	story(-1, -1, 0, &well);
	lab_writes_fail(0, 0, 0);
	for (int i = 0; i < STEPS; i++)
		step(i);
	all = lab_writes();
	assert_int_equal(lab_teardown(&none), 0);
	assert_int_equal(lab_setup(&none), 0);
	assert_true(all > 100);
	for (long at = 1; at < all; at += all / 40 + 1, n++) {
		lab_writes_fail(at, n % 5 + 1, n % 2 != 0 ? EIO : ENOSPC);
		for (int i = 0; i < STEPS; i++)
			step(i);
		for (int i = 0; i < 8; i++)
			lab_later(9000);	/* up to five tries fail */
		ending_of(&failed);
		if (strcmp(well.text, failed.text) != 0)
			print_error("write %ld fails:\n%s", at, failed.text);
		assert_string_equal(failed.text, well.text);
		assert_int_equal(lab_teardown(&none), 0);
		assert_int_equal(lab_setup(&none), 0);
	}
	print_message("S2: %d of %ld writes failed, one by one\n", n, all);
}

/* ---- Q1, S1 */

/* Another connection, as after a power failure, has what is sent before anybody could have acknowledged it. */
static bool
is_on_disk(uint64_t row)
{
	struct store *reader;
	struct event ev;
	int rc;

	assert_int_equal(store_open_reader(&reader, lab.dir), 0);
	rc = store_outbox_get(reader, row, &ev);
	store_close(reader);
	return rc == 0;
}

static void
q1_what_is_sent_is_on_disk_until_it_is_acknowledged(void **state)
{
	size_t seen = 0;

	(void)state;
	lab.acknowledge = false;
	for (int i = 0; i < STEPS; i++) {
		step(i);
		for (; seen < lab.n_out; seen++)
			assert_true(is_on_disk(lab.out[seen].row));
	}
	assert_true(seen > 4);
	lab_later(1000);
	for (size_t i = 0; i < seen; i++) {
		struct msg_delivered d = { lab.out[i].row, i % 2 != 0 ? DELIVERY_ACKNOWLEDGED : DELIVERY_SENT, 1, "" };
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= lab.out[k].row == d.row;
		if (again)
			continue;
		assert_true(is_on_disk(lab.out[i].row));
		engine_delivered(lab.engine, &d, lab.now);
		lab.now.mono.ms += 250;
		engine_tick(lab.engine, lab.now);
		assert_false(is_on_disk(lab.out[i].row));
	}
}

/* The power fails in the midst of a write, at many of them: the next engine opens what is there, it is sound, and what was told by
 * then is in it. */
static void
s1_power_that_fails_in_any_write_loses_nothing_that_was_told(void **state)
{
	void *none = NULL;
	int n = 0;
	long all;

	(void)state;
	lab_writes_fail(0, 0, 0);
	for (int i = 0; i < STEPS; i++)
		step(i);
	all = lab_writes();
	for (long at = 1; at < all; at += all / 60 + 1, n++) {
		assert_int_equal(lab_teardown(&none), 0);
		assert_int_equal(lab_setup(&none), 0);
		lab_power_fails(at);
		for (int i = 0; i < STEPS && lab_power_failed() == SIZE_MAX; i++)
			step(i);
		lab.n_out = lab_power_failed() < lab.n_out ? lab_power_failed() : lab.n_out;
		lab_crash();
		lab_writes_fail(0, 0, 0);
		lab_start();
		for (size_t i = 0; i < lab.n_out; i++)
			if (lab.out[i].event.type != EVENT_HEARTBEAT && !is_logged(lab.out[i].event.id))
				fail_msg("power fails at write %ld: %s is not on disk", at, lab.out[i].event.text);
		assert_true(is_sound());
		lab_sweep();
		lab_later(2000);
		assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", NULL), 0);	/* no state was lost */
	}
	print_message("S1: the power failed at %d of %ld writes\n", n, all);
}

/* A disk at its brim, full and well by turns, is one alarm and not one per turn. */
static void
s2_a_disk_at_its_brim_is_one_alarm(void **state)
{
	(void)state;
	lab_sweep();
	for (int i = 0; i < 20; i++) {
		lab_disk_full(true);
		lab_poll(i % 2 != 0 ? A : B);
		lab_plug(0, CAMERA, A, 5 + (uint32_t)i % 2);
		lab_sweep();
		lab_later(1000);
		lab_disk_full(false);
		lab_later(4000);
	}
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_AGENT_RECOVERED, "noc", NULL), 0);
	lab_later(11000);
	assert_int_equal(lab_told(EVENT_AGENT_RECOVERED, "noc", NULL), 1);
}

/* Stopped in the midst of it: what is owed is written if that can be done, and the end of the alarm is not forgotten. */
static void
s2_a_stop_writes_what_is_owed_and_the_end_of_the_alarm(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab_disk_full(true);
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_later(100);
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", NULL), 1);
	lab_disk_full(false);
	lab_stop();
	lab_start();
	lab_sweep();
	lab_later(20000);
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_AGENT_RECOVERED, "noc", NULL), 1);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(event_log()->n, 3);
}

static void
s2_our_snmp_identity_is_had_without_the_disk(void **state)
{
	struct msg_identity first, second, third;

	(void)state;
	assert_int_equal(engine_identity(lab.engine, &first, lab.now), 0);
	assert_int_equal(first.engine_id_len, 17);
	lab_disk_full(true);
	assert_int_equal(engine_identity(lab.engine, &second, lab.now), 0);	/* notify started again meanwhile */
	assert_memory_equal(first.engine_id, second.engine_id, sizeof first.engine_id);
	assert_true(second.boots > first.boots);
	lab_disk_full(false);
	lab_later(8000);
	lab_stop();
	lab_start();
	assert_int_equal(engine_identity(lab.engine, &third, lab.now), 0);
	assert_memory_equal(first.engine_id, third.engine_id, sizeof first.engine_id);
	assert_true(third.boots > second.boots);
}

/* Alarms that are told from memory count like others: no flood is made of trying again. */
static void
alarms_that_could_not_be_written_are_no_flood(void **state)
{
	(void)state;
	lab_sweep();
	lab_sweep();
	lab_plug(0, CAMERA, A, 5);
	lab_disk_full(true);
	lab_sweep();
	for (int i = 0; i < 12; i++)
		lab_later(1000);
	assert_true(lab_status("counters", "storeFailures") > 3);
	lab_disk_full(false);
	lab_later(8000);
	assert_int_equal(lab_told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	lab_later(61000);
	lab_later(2000);
	assert_int_equal(lab_told(EVENT_MAC_FLOOD, "noc", NULL), 0);
	assert_int_equal(lab_status("counters", "alarmsInFloods"), 0);
}

/* ---- S3 */

/* What a bad sector makes of it: all pages but the first, under a connection that is open, whose cache is out of date. */
static void
database_break_under_us(void)
{
	char path[128], rubbish[4096];
	struct stat st;
	sqlite3 *db;
	int fd;

	snprintf(path, sizeof path, "%s/camtrapd.db", lab.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "INSERT OR REPLACE INTO meta VALUES ('x', x'00'); PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	memset(rubbish, 0xa5, sizeof rubbish);
	assert_true((fd = open(path, O_WRONLY | O_CLOEXEC)) >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = sizeof rubbish; at < st.st_size; at += (off_t)sizeof rubbish)
		assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, at), sizeof rubbish);
	close(fd);
}

static void
s3_a_database_that_breaks_while_we_run_is_told_and_moved_aside(void **state)
{
	struct event ev;

	(void)state;
	lab_plug(0, CAMERA, A, 5);
	lab_sweep();
	lab_sweep();
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, NULL), 1);
	database_break_under_us();
	lab_plug(1, CAMERA + 1, A, 6);
	lab_sweep();
	lab_later(1000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA + 1, NULL), 1);	/* from memory */
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", &ev), 1);
	assert_int_equal(strncmp(ev.text, "storage failed: ", 16), 0);
	print_message("S3: %s\n", ev.text);
	assert_false(engine_is_over(lab.engine, lab.now));
	lab_later(10000);
	assert_true(engine_is_over(lab.engine, lab.now));	/* loop.c ends it, the parent starts another */
	lab_stop();
	lab_start();
	lab_later(1000);
	assert_int_equal(lab_told(EVENT_AGENT_TROUBLE, "noc", &ev), 2);
	assert_int_equal(strncmp(ev.text, "state lost: ", 12), 0);
	lab_sweep();
	lab_sweep();
	lab_later(20000);
	assert_int_equal(lab_told_of(EVENT_DEVICE_DETECTED, CAMERA, &ev), 2);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	assert_false(engine_is_over(lab.engine, lab.now));
	assert_true(is_sound());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(s2_with_a_full_disk_cameras_are_told_and_so_is_the_disk),
		CLAIM(s2_what_nobody_took_is_written_and_told_again_with_its_id),
		CLAIM(s2_a_crash_behind_a_move_told_from_memory_is_no_move_back),
		CLAIM(s2_numbers_told_from_memory_are_never_given_twice), CLAIM(s2_memory_is_bounded_and_drops_are_counted),
		CLAIM(s2_places_in_memory_are_bounded),
		CLAIM(s2_a_story_ends_as_if_the_disk_had_never_failed), CLAIM(s2_one_write_that_fails_loses_nothing),
		CLAIM(q1_what_is_sent_is_on_disk_until_it_is_acknowledged), CLAIM(s1_power_that_fails_in_any_write_loses_nothing_that_was_told),
		CLAIM(s2_a_disk_at_its_brim_is_one_alarm), CLAIM(s2_our_snmp_identity_is_had_without_the_disk),
		CLAIM(s2_a_stop_writes_what_is_owed_and_the_end_of_the_alarm),
		CLAIM(alarms_that_could_not_be_written_are_no_flood),
		CLAIM(s3_a_database_that_breaks_while_we_run_is_told_and_moved_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
