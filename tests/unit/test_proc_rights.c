/* tests/unit/test_proc_rights.c: H1: what a role that was taken over can still do. Each try runs in a process of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "proc/rights.h"

static int udp = -1, ends[2];		/* open before the filter, as in a role */
static const struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_port = 0x0900, .sin_addr = { 0x0100007f } };

static int
error(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
opened(int fd)
{
	return error(fd);
}

static int
exec_it(void)
{
	char *const argv[] = { (char *)"true", NULL };

	return error(execv("/bin/true", argv));
}

static int
fork_it(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return error(pid);
}

static int
trace_it(void)
{
	return error(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
signal_it(void)
{
	return error(kill(getppid(), 0));
}

static int
udp_socket(void)
{
	return opened(socket(AF_INET, SOCK_DGRAM, 0));
}

static int
unix_socket(void)
{
	return opened(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
packet_socket(void)
{
	return opened(socket(AF_PACKET, SOCK_RAW, 0));
}

static int
connect_it(void)
{
	return error(connect(udp, (const struct sockaddr *)&loopback, sizeof loopback));
}

static int
send_it(void)
{
	return error(sendto(udp, "x", 1, 0, (const struct sockaddr *)&loopback, sizeof loopback));
}

static int
read_file(void)
{
	return opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
write_file(void)
{
	return opened(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int
make_file(void)
{
	return opened(open("/dev/null", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
hidden_file(void)
{
	return opened(open("/tmp", O_TMPFILE | O_RDWR, 0600));
}

static int
unlink_it(void)
{
	return error(unlink("/nonexistent/file"));
}

static int
code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int
user(void)
{
	return error(setuid(getuid()));
}

static int
limit(void)
{
	struct rlimit l = { 64, 64 };

	return error(setrlimit(RLIMIT_NOFILE, &l));
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
thread(void)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, nothing, NULL);

	return rc != 0 ? EPERM : pthread_join(t, NULL);
}

static int
name(void)
{
	struct addrinfo *ai = NULL;
	int rc = getaddrinfo("localhost", "162", NULL, &ai);

	if (rc == 0)
		freeaddrinfo(ai);
	return rc == 0 ? 0 : EPERM;
}

static int
work(void)
{
	char *p = malloc(10 << 20), ch;
	struct timespec ms = { 0, 1000000 };

	if (p == NULL || nanosleep(&ms, NULL) < 0 || write(ends[1], memset(p, 'x', 10 << 20), 1) != 1 || read(ends[0], &ch, 1) != 1)
		return errno;
	free(p);
	return fprintf(stderr, "%c", '\0') < 0 ? errno : 0;
}

static const struct { const char *name; int (*it)(void); int poller, engine, notify, views; } tries[] = {
	{ "exec",			exec_it,	EPERM,	EPERM,	EPERM,	EPERM },
	{ "fork",			fork_it,	EPERM,	EPERM,	EPERM,	EPERM },
	{ "ptrace",			trace_it,	EPERM,	EPERM,	EPERM,	EPERM },
	{ "kill",			signal_it,	EPERM,	EPERM,	EPERM,	EPERM },
	{ "setuid",			user,		EPERM,	EPERM,	EPERM,	EPERM },
	{ "setrlimit",			limit,		EPERM,	EPERM,	EPERM,	EPERM },
	{ "a packet socket",		packet_socket,	EPERM,	EPERM,	EPERM,	EPERM },
	{ "a UDP socket",		udp_socket,	EPERM,	EPERM,	0,	EPERM },
	{ "a unix socket",		unix_socket,	EPERM,	EPERM,	0,	EPERM },
	{ "connect",			connect_it,	EPERM,	EPERM,	0,	EPERM },
	{ "sendto",			send_it,	0,	EPERM,	0,	EPERM },
	{ "read a file",		read_file,	ENOENT,	0,	0,	0 },
	{ "open a file to write",	write_file,	ENOENT,	0,	EPERM,	EPERM },
	{ "make a file",		make_file,	ENOENT,	0,	EPERM,	EPERM },
	{ "a file without a name",	hidden_file,	ENOENT,	0,	EPERM,	EPERM },
	{ "unlink",			unlink_it,	EPERM,	ENOENT,	EPERM,	EPERM },
	{ "new code",			code,		EPERM,	EPERM,	0,	EPERM },
	{ "a thread",			thread,		EPERM,	EPERM,	0,	EPERM },
	{ "a name of /etc/hosts",	name,		EPERM,	0,	0,	0 },
	{ "its own work",		work,		0,	0,	0,	0 },
	{ "abort",			NULL,		-SIGABRT, -SIGABRT, -SIGABRT, -SIGABRT },
};

/* What `it` returns in a process with the role's filter; a signal as a negative number; -1000: no filter. */
static int
try_it(enum peer_role role, int (*it)(void))
{
	struct rlimit no_core = { 0, 0 };
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (!rights_filter(role))
			_exit(255);
		if (it == NULL)
			abort();
		_exit(it());
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status) == 255 ? -1000 : WEXITSTATUS(status);
}

static void
the_filter_of_each_role(void **state)
{
	(void)state;
	assert_int_equal(pipe(ends), 0);
#ifdef __SANITIZE_ADDRESS__
	assert_int_equal(try_it(PEER_ENGINE, work), -1000);
	print_message("no filter in a build with a sanitizer: see test_proc_rights_plain\n");
	skip();
#endif
	for (size_t i = 0; i < nitems(tries); i++) {
		print_message("%s\n", tries[i].name);
		assert_int_equal(try_it(PEER_POLLER, tries[i].it), tries[i].poller);
		assert_int_equal(try_it(PEER_ENGINE, tries[i].it), tries[i].engine);
		assert_int_equal(try_it(PEER_NOTIFY, tries[i].it), tries[i].notify);
		assert_int_equal(try_it(PEER_VIEWS, tries[i].it), tries[i].views);
	}
}

/* The number of the first thing that is wrong after rights_role(); 0: nothing. */
static int
wrong_after(enum peer_role role)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	bool root = geteuid() == 0, network = role == PEER_POLLER || role == PEER_NOTIFY;
	struct rlimit core;
	uid_t r, e, s;

	if (rights_role(role) < 0)
		return 1;
	if (syscall(SYS_capget, &head, caps) < 0)
		return 2;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if ((caps[i].effective | caps[i].permitted | caps[i].inheritable) != 0)
			return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 5;
	if (root && network && (getresuid(&r, &e, &s) < 0 || r != 65534 || e != 65534 || s != 65534 || getgroups(0, NULL) != 0))
		return 6;
	if (root && network && (setuid(0) == 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0))
		return 7;
	if (root && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0)
		return 8;
	return 0;
}

/* As root without the user _camtrapd too: no capability is left anywhere, and on the network side not even user 0. */
static void
no_role_keeps_a_capability(void **state)
{
	(void)state;
	for (enum peer_role role = PEER_POLLER; role <= PEER_VIEWS; role++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0)
			_exit(wrong_after(role));
		assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
		print_message("role %d\n", (int)role);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_filter_of_each_role), cmocka_unit_test(no_role_keeps_a_capability) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
