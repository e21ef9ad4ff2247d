/* tests/unit/test_store.c: what is committed survives, together or not at all (S1, S2); a broken file is moved aside (S3), a newer one
 * and one that only cannot be read now are left alone (S4); history ends (S6). The disk fails through SQLite's own system calls. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "store/store.h"
#include "draw.h"

#define DAY_US 86400000000

static char dir[64], path[96];
static const struct wall now = { 1795000000000000 };
/* ---- a disk that fails: from its nth call on, one kind of call fails */

static struct { const char *call; long from, calls; int err; } fault;

static int
fails(const char *call)
{
	if (fault.call == NULL || strcmp(fault.call, call) != 0 || ++fault.calls < fault.from)
		return 0;
	errno = fault.err;
	return 1;
}

static ssize_t
faulty_pread(int fd, void *p, size_t n, off_t at)
{
	return fails("read") ? -1 : pread(fd, p, n, at);
}

static ssize_t
faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return fails("write") ? -1 : pwrite(fd, p, n, at);
}

static int
faulty_open(const char *name, int flags, int mode)
{
	return fails("open") ? -1 : open(name, flags, (mode_t)mode);
}

static int
install_faults(void **state)
{
	static const struct { const char *name; sqlite3_syscall_ptr f; } calls[] = { { "open", (sqlite3_syscall_ptr)faulty_open },
		{ "pread", (sqlite3_syscall_ptr)faulty_pread }, { "pread64", (sqlite3_syscall_ptr)faulty_pread },
		{ "pwrite", (sqlite3_syscall_ptr)faulty_pwrite }, { "pwrite64", (sqlite3_syscall_ptr)faulty_pwrite } };
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	(void)state;
	for (size_t i = 0; i < nitems(calls); i++)
		assert_int_equal(vfs->xSetSystemCall(vfs, calls[i].name, calls[i].f), SQLITE_OK);
	return 0;
}

static void
disk_fails(const char *call, long from, int err)
{
	fault.call = call;
	fault.from = from;
	fault.err = err;
	fault.calls = 0;
}

static void
disk_is_well(void)
{
	fault.call = NULL;
}

/* ---- the folder */

static int
setup(void **state)
{
	(void)state;
	/* In memory where that is possible: what dies here is the process, never the machine, and a thousand fsyncs take a while. */
	snprintf(dir, sizeof dir, "%s/camtrapd-store-XXXXXX", access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/camtrapd.db", dir);
	return 0;
}

static int
teardown(void **state)
{
	DIR *d = opendir(dir);
	char name[512];

	(void)state;
	disk_is_well();
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		snprintf(name, sizeof name, "%s/%s", dir, e->d_name);
		unlink(name);
	}
	closedir(d);
	return rmdir(dir);
}

/* Files in the folder whose name begins with this, SQLite's helpers left out unless they are asked for. */
static int
files(const char *prefix)
{
	bool helpers = strchr(prefix, '-') != NULL && strstr(prefix, "corrupt") == NULL;
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && (helpers || strstr(e->d_name, "-wal") == NULL) &&
		    (helpers || strstr(e->d_name, "-shm") == NULL))
			n++;
	closedir(d);
	return n;
}

/* A number that says whether a file is still the same, to the octet; 0: not there. */
static uint64_t
octets_of(const char *tail)
{
	char name[128];
	uint64_t h;
	struct buf b = { 0 };
	uint8_t piece[4096];
	FILE *f;

	snprintf(name, sizeof name, "%s%s", path, tail);
	if ((f = fopen(name, "re")) == NULL)
		return 0;
	for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
		put_bytes(&b, piece, n);
	fclose(f);
	h = hash_bytes(b.p, b.len);
	buf_free(&b);
	return h;
}

static void
file_write(const char *name, const void *p, size_t n)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static int64_t
ask(const char *sql)
{
	sqlite3_stmt *q = NULL;
	int64_t v = -1;
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	if (sqlite3_step(q) == SQLITE_ROW)
		v = strcmp("ok", (const char *)sqlite3_column_text(q, 0)) == 0 ? 1 : sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return v;
}

/* ---- one decision, as the engine writes it: a device, its event, a row per receiver, and what goes with them */

static int
decide(struct store *s, struct wall at, size_t table_octets, uint32_t *id)
{
	static uint8_t table[4 << 20];
	struct detection d = { .presence = PRESENCE_PRESENT, .handling = HANDLING_OPEN, .origin = ORIGIN_NEW,
		.confidence = CONFIDENCE_CONFIRMED, .severity = SEVERITY_MAJOR, .vendor = "Hikvision", .first_seen = at };
	struct event e = { .type = EVENT_DEVICE_DETECTED, .severity = SEVERITY_MAJOR, .at = at };
	struct store_switch sw = { .name = "acc-sw-07", .last_poll = at };
	uint64_t row;
	int rc = store_begin(s);

	if (rc == 0 && (rc = store_next(s, COUNTER_DETECTION, &d.id)) == 0 && (rc = store_next(s, COUNTER_EVENT, &e.sequence)) == 0) {
		d.mac = mac_of_u64(0x4419b6000000 + d.id);
		e.detection_id = d.id;
		snprintf(e.id, sizeof e.id, "%026u", e.sequence);
		put_bytes(&sw.table, table, table_octets);
		if ((rc = store_detection_put(s, &d)) == 0 && (rc = store_event_put(s, &e)) == 0 &&
		    (rc = store_outbox_put(s, "noc", &e, &row)) == 0 && (rc = store_outbox_put(s, "two", &e, &row)) == 0 &&
		    (rc = store_presence_put(s, d.id, &d.location.place, at, at)) == 0 && (rc = store_switch_put(s, &sw)) == 0 &&
		    (rc = store_meta_put(s, "last", &d.id, sizeof d.id)) == 0)
			rc = store_commit(s);
		buf_free(&sw.table);
	}
	if (rc < 0)
		store_rollback(s);
	*id = d.id;
	return rc;
}

/* Every decision is there as a whole. Returns how many. */
static int64_t
whole_decisions(void)
{
	int64_t n = ask("SELECT count(*) FROM detection");

	assert_int_equal(ask("PRAGMA integrity_check"), 1);
	assert_int_equal(ask("SELECT count(*) FROM detection JOIN event ON detection = detection.id"), n);
	assert_int_equal(ask("SELECT count(*) FROM event"), n);
	assert_int_equal(ask("SELECT count(*) FROM outbox"), 2 * n);
	assert_int_equal(ask("SELECT count(*) FROM presence"), n);
	assert_int_equal(ask("SELECT coalesce(max(id), 0) FROM detection"), n);
	return n;
}

static int
count_outbox(void *arg, const struct outbox_row *r)
{
	int *n = arg;

	assert_string_equal(r->receiver, *n % 2 == 0 ? "noc" : "two");
	assert_int_equal(r->event.sequence, 1 + *n / 2);
	(*n)++;
	return 0;
}

static int
copy_detection(void *arg, const struct detection *d)
{
	*(struct detection *)arg = *d;
	return 0;
}

static int
count_detections(void *arg, const struct detection *d)
{
	(void)d;
	++*(int *)arg;
	return 0;
}

static int
count_presences(void *arg, const struct place *at, struct wall from, struct wall to)
{
	(void)at, (void)from, (void)to;
	++*(int *)arg;
	return 0;
}

static int
count_events(void *arg, const struct event *e)
{
	(void)e;
	++*(int *)arg;
	return 0;
}

static int
copy_switch(void *arg, const struct store_switch *sw)
{
	struct store_switch *to = arg;

	put_bytes(&to->table, sw->table.p, sw->table.len);
	to->number = sw->number;
	return 0;
}

static struct store *
open_well(struct store_opened *opened)
{
	struct store *s;
	int rc = store_open(&s, dir, now, opened);

	if (rc < 0)
		print_message("%s\n", store_error(s));
	assert_int_equal(rc, 0);
	return s;
}

/* ---- claims */

static void
what_was_committed_is_there_and_nothing_else(void **state)
{
	struct store_switch sw = { .number = 0 };
	struct store_opened opened;
	struct store *s;
	struct detection d = { .id = 77, .presence = PRESENCE_PRESENT, .vendor = "Dahua" }, got;
	struct stat st;
	uint32_t v;
	int n = 0;

	(void)state;
	s = open_well(&opened);
	assert_true(opened.created && !opened.state_lost);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(decide(s, now, 5000, &v), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_detection_put(s, &d), 0);
	store_rollback(s);
	assert_int_equal(store_outbox_done(s, 1), 0);
	assert_int_equal(store_outbox_done(s, 2), 0);
	store_close(s);
	s = open_well(&opened);
	assert_false(opened.created);
	assert_int_equal(store_detections(s, copy_detection, &got), 0);
	assert_int_equal(got.id, 3);
	assert_string_equal(got.vendor, "Hikvision");
	assert_int_equal(store_presences(s, 3, count_presences, &n), 0);
	assert_int_equal(n, 1);
	n = 2;
	assert_int_equal(store_outbox(s, count_outbox, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(store_next(s, COUNTER_EVENT, &v), 0);
	assert_int_equal(v, 4);
	assert_int_equal(store_switches(s, copy_switch, &sw), 0);
	assert_int_equal(sw.table.len, 5000);
	assert_int_equal(sw.number, 1);
	assert_int_equal(store_switch_forget(s, "acc-sw-07"), 0);
	assert_int_equal(ask("SELECT count(*) FROM switch_rows"), 0);
	assert_int_equal(decide(s, now, 0, &v), 0);
	assert_int_equal(store_switches(s, copy_switch, &sw), 0);
	assert_int_equal(sw.number, 2);		/* a number is never given again */
	buf_free(&sw.table);
	store_close(s);
}

/* As version 1 kept it: the rows of a switch beside how its polling went. */
static void
an_older_file_is_brought_up(void **state)
{
	static const char older[] = "ALTER TABLE switch ADD COLUMN tables BLOB;"
	    "UPDATE switch SET tables = (SELECT rows FROM switch_rows WHERE switch_rows.number = switch.number);"
	    "DROP TABLE switch_rows; PRAGMA user_version=1";
	struct store_switch sw = { 0 };
	struct store_opened opened;
	struct store *s = open_well(&opened);
	uint32_t epoch = opened.epoch, id;
	sqlite3 *db;
	long full = 0;

	(void)state;
	assert_int_equal(decide(s, now, 5000, &id), 0);
	store_close(s);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, older, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open_reader(&s, dir), -EPROTO);		/* not before the one that writes has been there */
	store_close(s);
	for (int rc = -1; rc < 0;) {			/* a disk that is full: it stays what it was, and waits */
		disk_fails("write", ++full, ENOSPC);
		rc = store_open(&s, dir, now, &opened);
		disk_is_well();
		assert_int_equal(files("camtrapd.db.corrupt-"), 0);
		if (rc < 0)
			store_close(s);
	}
	assert_true(full > 3);				/* it was, in more than one place */
	assert_false(opened.created || opened.state_lost);
	assert_int_equal(opened.epoch, epoch);
	assert_int_equal(store_switches(s, copy_switch, &sw), 0);
	assert_int_equal(sw.number, 1);
	assert_int_equal(sw.table.len, 5000);
	buf_free(&sw.table);
	assert_int_equal(whole_decisions(), 1);
	assert_int_equal(ask("PRAGMA user_version"), 2);
	store_close(s);
}

/* Each makes a file that cannot be used. */
static void
be_text(void)
{
	char text[5000];

	memset(text, 'x', sizeof text);
	file_write(path, text, sizeof text);
}

static void
be_another_programs(void)
{
	ask("PRAGMA application_id = 4711");
}

static void
be_short(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2), 0);
}

static void
be_overwritten(void)
{
	uint8_t noise[3000];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)draw(256);
	assert_int_equal(pwrite(fd, noise, sizeof noise, 4096 * 3), sizeof noise);
	close(fd);
}

static void
s3_a_broken_file_is_moved_aside_and_said(void **state)
{
	static const struct { const char *name; void (*make)(void); } cases[] = { { "text", be_text }, { "another program's", be_another_programs },
		{ "cut in half", be_short }, { "a page of noise", be_overwritten } };
	uint32_t epochs[nitems(cases) + 1], id;
	struct store_opened opened;
	struct store *s = open_well(&opened);

	(void)state;
	epochs[0] = opened.epoch;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].name);
		for (int k = 0; k < 20; k++)
			assert_int_equal(decide(s, now, 20000, &id), 0);
		store_close(s);
		cases[i].make();
		s = open_well(&opened);		/* the clock stands still: neither name nor epoch may depend on it */
		assert_true(opened.created && opened.state_lost);
		assert_int_equal(access(opened.moved_to, F_OK), 0);
		assert_non_null(strstr(opened.moved_to, "/camtrapd.db.corrupt-17950000"));
		assert_int_equal(files("camtrapd.db.corrupt-"), i + 1);
		epochs[i + 1] = opened.epoch;
		for (size_t k = 0; k <= i; k++)
			assert_int_not_equal(epochs[k], opened.epoch);
		assert_in_range(opened.epoch, 1, INT32_MAX);
	}
	store_close(s);
	s = open_well(&opened);
	assert_false(opened.created || opened.state_lost);
	assert_int_equal(opened.epoch, epochs[nitems(cases)]);
	store_close(s);
}

static void
s4_a_newer_file_is_left_to_the_octet(void **state)
{
	struct store_opened opened;
	uint64_t before[2];
	struct store *s;
	uint32_t id;
	int fd[2];
	char c;

	(void)state;
	/* Killed, so that the newer one's last words are in its WAL alone. */
	assert_int_equal(pipe(fd), 0);
	if (fork() == 0) {
		sqlite3 *db;

		if (store_open(&s, dir, now, &opened) < 0 || decide(s, now, 100, &id) < 0 || sqlite3_open(path, &db) != SQLITE_OK ||
		    sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL) != SQLITE_OK || write(fd[1], "x", 1) != 1)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(read(fd[0], &c, 1), 1);
	wait(NULL);
	close(fd[0]), close(fd[1]);
	before[0] = octets_of("");
	before[1] = octets_of("-wal");
	assert_true(before[0] != 0 && before[1] != 0);
	assert_int_equal(store_open(&s, dir, now, &opened), -EPROTO);
	assert_non_null(strstr(store_error(s), "99"));
	store_close(s);
	assert_int_equal(store_open_reader(&s, dir), -EPROTO);
	store_close(s);
	assert_true(octets_of("") == before[0] && octets_of("-wal") == before[1]);
	assert_int_equal(files("camtrapd.db.corrupt-"), 0);
}

/* From its nth call on, for each n, a disk that does not read, write or open: an error, and the file is there with all it held. */
static void
what_cannot_be_read_now_is_not_moved(void **state)
{
	static const struct { const char *call; int err; } cases[] = { { "read", EIO }, { "read", EACCES }, { "open", EMFILE }, { "open", EACCES },
		{ "open", EROFS }, { "write", ENOSPC }, { "write", EROFS } };
	struct store_opened opened;
	struct store *s = open_well(&opened);
	uint32_t epoch = opened.epoch, id;

	(void)state;
	for (int i = 0; i < 30; i++)
		assert_int_equal(decide(s, now, 20000, &id), 0);
	store_close(s);
	for (size_t i = 0; i < nitems(cases); i++) {
		long n = 1;

		for (;; n++) {
			int rc, n_devices = 0;

			disk_fails(cases[i].call, n, cases[i].err);
			rc = store_open(&s, dir, now, &opened);
			disk_is_well();
			assert_int_equal(files("camtrapd.db.corrupt-"), 0);
			assert_int_equal(access(path, F_OK), 0);
			if (rc < 0) {
				assert_string_not_equal(store_error(s), "no error");
				assert_int_not_equal(rc, -EBADMSG);
			} else {
				assert_false(opened.created || opened.state_lost);
				assert_int_equal(opened.epoch, epoch);
				assert_int_equal(store_detections(s, count_detections, &n_devices), 0);
				assert_int_equal(n_devices, 30);
			}
			store_close(s);
			if (fault.calls < n)
				break;		/* it needs no more calls than that */
		}
		print_message("%s fails (%s): %ld places\n", cases[i].call, strerror(cases[i].err), n - 1);
		assert_true(n > 1);
	}
}

/* A folder or file without the rights: told, not moved, not made anew. */
static void
without_rights_it_says_so(void **state)
{
	static const struct { const char *name; mode_t dir, file; bool there; } cases[] = { { "folder closed", 0700, 0644, true },
		{ "folder read-only, no file", 0555, 0, false }, { "file closed", 0755, 0600, true }, { "both read-only", 0555, 0444, true },
		{ "file read-only", 0777, 0444, true } };
	struct store_opened opened;
	struct store *s;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		uint64_t before;
		int status;

		print_message("%s\n", cases[i].name);
		if (cases[i].there) {
			store_close(open_well(&opened));
			assert_int_equal(chmod(path, geteuid() == 0 ? cases[i].file : cases[i].file & 0477), 0);
		}
		before = octets_of("");
		assert_int_equal(chmod(dir, geteuid() == 0 ? cases[i].dir : 0500), 0);
		if (fork() == 0) {
			int rc;

			if (geteuid() == 0 && setuid(65534) < 0)
				_exit(2);
			rc = store_open(&s, dir, now, &opened);
			print_message("  %d: %s\n", rc, store_error(s));
			_exit(rc < 0 && rc != -EBADMSG && !opened.state_lost && strcmp(store_error(s), "no error") != 0 ? 0 : 1);
		}
		wait(&status);
		assert_int_equal(chmod(dir, 0700), 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		assert_int_equal(octets_of(""), before);
		assert_int_equal(files("camtrapd.db.corrupt-"), 0);
		unlink(path);
	}
}

static void
a_second_camtrapd_is_refused(void **state)
{
	struct store_opened opened;
	struct store *first = open_well(&opened), *second;
	sqlite3 *db;

	(void)state;
	assert_int_equal(store_open(&second, dir, now, &opened), -EBUSY);
	assert_non_null(strstr(store_error(second), "another camtrapd"));
	store_close(second);
	assert_int_equal(store_begin(first), 0);
	assert_int_equal(store_commit(first), 0);
	store_close(first);
	/* Another program that holds the file is waited for, then an error. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM counter; COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_open(&second, dir, now, &opened), -EBUSY);
	store_close(second);
	assert_int_equal(files("camtrapd.db.corrupt-"), 0);
	sqlite3_close(db);
	store_close(open_well(&opened));
}

/* S2: full at the nth write, for each n: an error that says so, nothing half-written, and it goes on when there is room. */
static void
s2_a_full_disk_is_an_error_and_passes(void **state)
{
	static const size_t tables[] = { 60000, 3 << 20 };	/* the second is larger than SQLite's cache: written before the commit */
	struct store_opened opened;
	struct store *s = open_well(&opened);
	int64_t done = 0;

	(void)state;
	for (size_t t = 0; t < nitems(tables); t++) {
		int refused = 0;

		for (long n = 1;; n = t == 0 ? n + 1 : n * 4) {
			int rc, seen = 0;
			uint32_t id;

			disk_fails("write", n, draw(2) != 0 ? ENOSPC : EDQUOT);
			rc = decide(s, now, tables[t], &id);
			if (rc == 0) {
				done++;
				disk_is_well();
				if (fault.calls < n)
					break;
				continue;	/* only the checkpoint after it had no room */
			}
			refused++;
			assert_int_equal(rc, -ENOSPC);
			assert_int_equal(store_detections(s, count_detections, &seen), 0);	/* while it is full */
			assert_int_equal(seen, done);
			assert_int_equal(decide(s, now, tables[t], &id), -ENOSPC);
			disk_is_well();
			assert_int_equal(decide(s, now, tables[t], &id), 0);
			assert_int_equal(id, ++done);
		}
		print_message("table of %zu octets: refused at %d writes\n", tables[t], refused);
		assert_true(refused >= 3);
		assert_int_equal(whole_decisions(), done);
	}
	disk_fails("write", 1, ENOSPC);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_prune(s, (struct wall){ INT64_MAX }), 0);
	assert_int_equal(store_outbox_done(s, 1), 0);
	assert_int_equal(store_commit(s), -ENOSPC);	/* removing needs room too */
	store_rollback(s);
	disk_is_well();
	store_close(s);
	assert_int_equal(whole_decisions(), done);
}

/* S1, Q2: killed at any moment, 50 times: what was told as committed is there, and nothing is there by half. */
static void
s1_killed_at_any_moment_it_keeps_its_word(void **state)
{
	int64_t told = 0, there;
	int with_wal = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 50; round++) {
		struct timespec pause = { 0, 1000L * draw(30000) };
		struct store_opened opened;
		struct store *s;
		uint32_t id;
		pid_t pid;
		int fd[2];

		assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
		if ((pid = fork()) == 0) {
			if (store_open(&s, dir, now, &opened) < 0 || opened.state_lost)
				_exit(1);
			while (decide(s, now, draw(30000), &id) == 0)
				if (write(fd[1], &id, sizeof id) != sizeof id)
					break;
			_exit(1);
		}
		close(fd[1]);
		if (round % 2 != 0 && read(fd[0], &id, sizeof id) == sizeof id)	/* else: perhaps while it starts */
			told = id;
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		while (read(fd[0], &id, sizeof id) == sizeof id)
			told = id;
		waitpid(pid, NULL, 0);
		close(fd[0]);
		with_wal += files("camtrapd.db-wal");
		if (access(path, F_OK) < 0)
			continue;
		s = open_well(&opened);
		assert_false(opened.state_lost);
		store_close(s);
		there = whole_decisions();
		assert_in_range(there, told, told + 1);
		told = there;		/* the one that was committed but not told */
	}
	print_message("%lld decisions, %d of 50 deaths left a WAL\n", (long long)told, with_wal);
	assert_true(told >= 25 && with_wal > 10);
}

static void
readers_see_all_and_hold_nothing(void **state)
{
	struct store_opened opened;
	struct store *s, *r;
	int n = 0, frames = -1, moved = -1;
	uint32_t id;
	sqlite3 *db;

	(void)state;
	assert_int_equal(store_open_reader(&r, dir), -EIO);	/* not there yet */
	store_close(r);
	s = open_well(&opened);
	for (int i = 0; i < 5; i++)
		assert_int_equal(decide(s, now, 30000, &id), 0);
	store_close(s);
	assert_int_equal(files("camtrapd.db-"), 0);
	assert_int_equal(store_open_reader(&r, dir), 0);	/* no writer, no -shm, no -wal */
	assert_int_equal(store_detections(r, count_detections, &n), 0);
	assert_int_equal(n, 5);
	s = open_well(&opened);
	assert_int_equal(decide(s, now, 30000, &id), 0);
	n = 0;
	assert_int_equal(store_detections(r, count_detections, &n), 0);
	assert_int_equal(n, 6);
	n = 0;
	assert_int_equal(store_events(r, (struct wall){ 0 }, 2, 3, count_events, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(store_presences(r, 1, count_presences, &n), 0);
	assert_true(store_begin(r) < 0 || store_meta_put(r, "x", "y", 1) < 0);	/* it cannot write */
	store_rollback(r);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &frames, &moved), SQLITE_OK);
	assert_int_equal(frames, 0);		/* nobody's snapshot was in the way */
	sqlite3_close(db);
	store_close(r);
	store_close(s);
}

/* S6: three years of a busy site with 30 days kept: the file stops growing; what waits for a receiver stays. */
static void
s6_history_ends_and_the_file_stops_growing(void **state)
{
	struct store_opened opened;
	struct store *s = open_well(&opened);
	int64_t pages = 0;
	uint64_t row = 1;
	uint32_t id;

	(void)state;
	for (int day = 0; day < 1100; day++) {
		struct wall at = { now.us + day * DAY_US }, before = { at.us - 30 * DAY_US };

		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_prune(s, before), 0);
		assert_int_equal(store_commit(s), 0);
		assert_int_equal(decide(s, at, 0, &id), 0);
		if (day == 1000)
			continue;		/* this one's receivers are away from now on */
		if (day < 1000)
			for (int i = 0; i < 2; i++)
				assert_int_equal(store_outbox_done(s, row++), 0);
		if (day == 90)
			pages = ask("PRAGMA page_count") - ask("SELECT count(*) FROM detection") / 4;
		if (day == 999)
			assert_in_range(ask("PRAGMA page_count") - ask("SELECT count(*) FROM detection") / 4, 1, pages * 2);
	}
	assert_int_equal(ask("SELECT count(*) FROM presence"), 31);
	assert_int_equal(ask("SELECT count(*) FROM event"), 100);	/* from day 1000 on */
	assert_int_equal(ask("SELECT count(*) FROM outbox"), 200);
	while (row < 1 + 2 * 1100)
		assert_int_equal(store_outbox_done(s, row++), 0);
	assert_int_equal(store_prune(s, (struct wall){ now.us + 1090 * DAY_US }), 0);
	assert_int_equal(ask("SELECT count(*) FROM event"), 10);
	store_close(s);
}

/* Every text as long as it can be in a notification: no event takes more room. */
static struct event
long_event(void)
{
	struct event e = { .type = EVENT_DEVICE_DETECTED, .severity = SEVERITY_MAJOR, .at = now, .detection_id = 4000000000, .epoch = 2000000000,
		.sequence = 4000000000, .confidence = CONFIDENCE_CONFIRMED, .presence = PRESENCE_PRESENT, .handling = HANDLING_OPEN,
		.origin = ORIGIN_NEW, .if_index = 1000000, .vlan = 4094, .verdict = VERDICT_ACCESS, .seen_at = now, .decided_at = now };
	const struct { char *p; size_t size; } texts[] = { { e.id, sizeof e.id }, { e.vendor, 49 }, { e.policy, 33 }, { e.site, 49 },
		{ e.switch_name, 49 }, { e.switch_location, 49 }, { e.port, 33 }, { e.alias, 49 }, { e.reason, 65 }, { e.evidence, 129 },
		{ e.text, 129 } };

	for (size_t i = 0; i < nitems(texts); i++)
		memset(texts[i].p, 'x', texts[i].size - 1);
	return e;
}

/* Q3: a queue as long as is promised, of the longest notifications, in less room than is promised; and it goes away again. */
static void
q3_100000_long_notifications_take_less_than_200_mb(void **state)
{
	struct store_opened opened;
	struct store *s = open_well(&opened);
	const struct event e = long_event();
	uint64_t row = 0;
	struct stat st;
	char name[128];
	int64_t octets;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(store_begin(s), 0);
		for (int k = 0; k < 1000; k++)
			assert_int_equal(store_outbox_put(s, "a receiver with a name that is of a usual length", &e, &row), 0);
		assert_int_equal(store_commit(s), 0);
	}
	snprintf(name, sizeof name, "%s-wal", path);
	assert_int_equal(stat(name, &st), 0);
	octets = ask("PRAGMA page_count") * ask("PRAGMA page_size");
	print_message("Q3: 100000 rows are %lld octets; S6: the WAL is %lld\n", (long long)octets, (long long)st.st_size);
	assert_in_range(octets, 1, 200000000 - 1);
	assert_in_range(st.st_size, 0, 64 << 20);
	for (; row > 0; row--)
		if (row % 1000 == 0) {
			assert_int_equal(store_begin(s), 0);
			for (uint64_t i = row; i > row - 1000; i--)
				assert_int_equal(store_outbox_done(s, i), 0);
			assert_int_equal(store_commit(s), 0);
		}
	assert_int_equal(ask("SELECT count(*) FROM outbox"), 0);
	assert_true(ask("PRAGMA freelist_count") * ask("PRAGMA page_size") > octets / 10 * 9);	/* room for what comes */
	assert_int_equal(stat(name, &st), 0);
	assert_in_range(st.st_size, 0, 64 << 20);
	store_close(s);
}

/* A record that does not decode hides no other, and its device can be found and told anew. */
static void
a_bad_record_hides_no_other_and_gives_way(void **state)
{
	struct detection d = { .id = 9, .mac = { { 0x44, 0x19, 0xb6, 0, 0, 2 } }, .presence = PRESENCE_PRESENT, .vendor = "Hikvision" };
	struct store_opened opened;
	struct store *s = open_well(&opened);
	uint32_t id;
	int n = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(decide(s, now, 100, &id), 0);
	ask("UPDATE detection SET body = x'ff00' WHERE id = 2");
	ask("UPDATE event SET body = substr(body, 1, length(body) - 1) WHERE sequence = 1");
	ask("UPDATE outbox SET body = zeroblob(3) WHERE row = 4");
	assert_int_equal(store_detections(s, count_detections, &n), 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(store_events(s, (struct wall){ 0 }, 0, 100, count_events, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_detection_put(s, &d), 0);
	assert_int_equal(store_presence_put(s, 9, &d.location.place, now, now), 0);
	assert_int_equal(store_commit(s), 0);
	n = 0;
	assert_int_equal(store_detections(s, count_detections, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(ask("SELECT count(*) FROM presence"), 3);
	assert_int_equal(ask("SELECT id FROM detection WHERE mac = 0x4419b6000002"), 9);
	store_close(s);
}

/* A loss that could not be told in the run that met it is told in the next one. */
static void
s3_a_loss_is_told_even_if_the_disk_was_full_then(void **state)
{
	struct store_opened opened;
	struct store *s;

	(void)state;
	be_text();
	disk_fails("write", 1, ENOSPC);
	assert_int_equal(store_open(&s, dir, now, &opened), -ENOSPC);
	store_close(s);
	disk_is_well();
	assert_int_equal(files("camtrapd.db.corrupt-"), 1);
	s = open_well(&opened);
	assert_true(opened.state_lost);
	assert_non_null(strstr(opened.moved_to, "/camtrapd.db.corrupt-1795000000"));
	store_close(s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { CLAIM(what_was_committed_is_there_and_nothing_else), CLAIM(an_older_file_is_brought_up),
		CLAIM(s3_a_broken_file_is_moved_aside_and_said),
		CLAIM(s4_a_newer_file_is_left_to_the_octet), CLAIM(what_cannot_be_read_now_is_not_moved), CLAIM(without_rights_it_says_so),
		CLAIM(a_second_camtrapd_is_refused), CLAIM(s2_a_full_disk_is_an_error_and_passes),
		CLAIM(s1_killed_at_any_moment_it_keeps_its_word), CLAIM(readers_see_all_and_hold_nothing),
		CLAIM(s6_history_ends_and_the_file_stops_growing), CLAIM(q3_100000_long_notifications_take_less_than_200_mb),
		CLAIM(a_bad_record_hides_no_other_and_gives_way),
		CLAIM(s3_a_loss_is_told_even_if_the_disk_was_full_then) };

	return cmocka_run_group_tests(tests, install_faults, NULL);
}
