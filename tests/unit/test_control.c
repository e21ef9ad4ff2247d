/* tests/unit/test_control.c: H7: a client of the control socket can at worst lose its own connection. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proc/rundir.h"
#include "views/control.h"

#define ANSWER "{\"version\":1,\"answer\":\"here\"}"

struct bench {
	struct event_base *base;
	struct control	  *control;
	char		   dir[64];
	uint32_t	   last, uid;	/* of who asked last */
	unsigned	   asked, silent;
};

static void
requested(void *arg, uint32_t id, uint32_t uid, const char *line, size_t n)
{
	struct bench *b = arg;

	b->asked++;
	b->last = id;
	b->uid = uid;
	if (n == 4 && memcmp(line, "wait", 4) == 0)
		control_wait(b->control, id, 65);
	else if (n != 5 || memcmp(line, "large", 5) != 0)
		control_send(b->control, id, ANSWER, strlen(ANSWER), false);
}

static void
is_silent(void *arg, uint32_t id)
{
	struct bench *b = arg;

	b->silent++;
	control_send(b->control, id, "gone", 4, false);
}

static int
set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	char path[SOCKET_PATH];
	int fd;

	strcpy(b->dir, "/tmp/camtrapd-control.XXXXXX");
	if (mkdtemp(b->dir) == NULL || (b->base = event_base_new()) == NULL)
		return -1;
	if ((fd = rundir_listen(b->dir, path)) < 0)
		return -1;
	b->control = control_new(b->base, fd, requested, is_silent, b);
	*state = b;
	return b->control != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;
	char path[SOCKET_PATH];

	control_free(b->control);
	event_base_free(b->base);
	snprintf(path, sizeof path, "%s/control.sock", b->dir);
	unlink(path);
	rmdir(b->dir);
	free(b);
	return 0;
}

static void
turn(struct bench *b, int times)
{
	while (times-- > 0)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static int
client(struct bench *b)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s/control.sock", b->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	turn(b, 2);
	return fd;
}

static void
ask(struct bench *b, int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	turn(b, 4);
}

/* What came to `fd`; *end: the connection is closed. */
static size_t
take(struct bench *b, int fd, char *out, size_t size, bool *end)
{
	size_t n = 0;

	*end = false;
	for (int i = 0; i < 50 && n < size - 1; i++) {
		ssize_t got = recv(fd, out + n, size - 1 - n, 0);

		if (got > 0)
			n += (size_t)got;
		else if (got == 0 || errno != EAGAIN) {
			*end = true;
			break;
		}
		turn(b, 1);
	}
	out[n] = '\0';
	return n;
}

static void
is_served(struct bench *b)
{
	char text[128];
	bool end;
	int fd = client(b);

	ask(b, fd, "{\"command\":\"status\"}\n");
	take(b, fd, text, sizeof text, &end);
	assert_string_equal(text, ANSWER "\n");
	assert_true(end);
	close(fd);
}

static void
the_socket_is_for_its_group(void **state)
{
	struct bench *b = *state;
	struct stat st;
	char path[128];

	snprintf(path, sizeof path, "%s/control.sock", b->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, getegid());
	is_served(b);
	assert_int_equal(b->uid, getuid());
}

static void
a_megabyte_of_garbage_is_refused(void **state)
{
	static char garbage[1 << 20];
	struct bench *b = *state;
	char text[256];
	size_t sent = 0;
	bool end;
	int fd = client(b);

	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (char)(i * 7 + 1) == '\n' ? '{' : (char)(i * 7 + 1);
	for (int i = 0; i < 200 && sent < sizeof garbage; i++) {
		ssize_t n = send(fd, garbage + sent, sizeof garbage - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			break;		/* it has been cut off */
		sent += n > 0 ? (size_t)n : 0;
		turn(b, 1);
	}
	take(b, fd, text, sizeof text, &end);
	assert_non_null(strstr(text, "longer than 8192"));
	assert_true(end);
	assert_int_equal(control_clients(b->control), 0);
	assert_int_equal(b->asked, 0);
	close(fd);
	is_served(b);
}

static void
two_hundred_idle_clients_hold_nobody_up(void **state)
{
	struct bench *b = *state;
	int idle[200];

	for (int i = 0; i < 200; i++) {
		idle[i] = client(b);
		if (i % 2 == 0)
			ask(b, idle[i], "{\"command\":");	/* half of them have begun to ask */
	}
	assert_true(control_clients(b->control) <= CONTROL_CLIENTS_MAX);
	for (int i = 0; i < 20; i++)
		is_served(b);
	for (int i = 0; i < 200; i++)
		close(idle[i]);
	turn(b, 10);
	assert_int_equal(control_clients(b->control), 0);
}

static void
where_all_have_asked_the_next_one_is_told(void **state)
{
	struct bench *b = *state;
	int fds[CONTROL_CLIENTS_MAX], fd;
	char text[128];
	bool end;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client(b);
		ask(b, fds[i], "wait\n");
	}
	fd = client(b);
	take(b, fd, text, sizeof text, &end);
	assert_non_null(strstr(text, "too many clients"));
	assert_true(end);
	close(fd);
	close(fds[0]);
	control_give_up(b->control);
	turn(b, 4);
	assert_int_equal(b->silent, CONTROL_CLIENTS_MAX);
	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++) {
		take(b, fds[i], text, sizeof text, &end);
		assert_string_equal(text, "gone\n");
		close(fds[i]);
	}
	is_served(b);
}

static void
who_does_not_read_is_dropped_before_memory_is_full(void **state)
{
	static char piece[1 << 20];
	struct bench *b = *state;
	int slow[3];
	uint32_t ids[3];
	unsigned pieces = 0;

	memset(piece, 'x', sizeof piece);
	for (int i = 0; i < 3; i++) {
		slow[i] = client(b);
		ask(b, slow[i], "large\n");
		ids[i] = b->last;
	}
	/* One after the other: never more than CONTROL_WAITING_ALL waits, and a quick client is served all the while. */
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 3; i++)
			control_send(b->control, ids[i], piece, sizeof piece, true);
		pieces++;
		turn(b, 1);
		is_served(b);
	}
	assert_int_equal(pieces, 40);
	assert_int_equal(control_clients(b->control), 0);
	for (int i = 0; i < 3; i++)
		close(slow[i]);
}

static void
half_an_answer_ends_with_the_connection(void **state)
{
	struct bench *b = *state;
	char text[128];
	bool end;
	int fd = client(b);

	ask(b, fd, "wait\n");
	control_send(b->control, b->last, "{\"version\":1,", 13, true);
	turn(b, 2);
	control_give_up(b->control);
	take(b, fd, text, sizeof text, &end);
	assert_string_equal(text, "{\"version\":1,");
	assert_true(end);
	assert_int_equal(b->silent, 0);
	close(fd);
}

static unsigned freed;

static void
count_free(void *p)
{
	assert_ptr_equal(p, &freed);
	freed++;
}

static void
what_is_kept_goes_with_its_client(void **state)
{
	struct bench *b = *state;
	int fd = client(b);

	freed = 0;
	ask(b, fd, "wait\n");
	control_keep(b->control, b->last, &freed, count_free);
	assert_ptr_equal(control_kept(b->control, b->last), &freed);
	assert_null(control_kept(b->control, b->last + 1));
	control_send(b->control, b->last, "x", 1, false);
	turn(b, 4);
	assert_int_equal(freed, 1);
	control_keep(b->control, b->last, &freed, count_free);	/* gone already */
	assert_int_equal(freed, 2);
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { T(the_socket_is_for_its_group), T(a_megabyte_of_garbage_is_refused),
		T(two_hundred_idle_clients_hold_nobody_up), T(where_all_have_asked_the_next_one_is_told),
		T(who_does_not_read_is_dropped_before_memory_is_full), T(half_an_answer_ends_with_the_connection),
		T(what_is_kept_goes_with_its_client) };

	signal(SIGPIPE, SIG_IGN);	/* as every role does (proc/child.c) */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
