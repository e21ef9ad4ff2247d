/* agent/proc/rights.c: users, capabilities and the system call filters. What a filter allows is one table: who reads it sees what
 * a role that was taken over could still do. */
#include "proc/rights.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

/* A sanitizer looks into its own process, at its end with a process of its own. */
#if defined __SANITIZE_ADDRESS__
#define SANITIZED true
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define NOBODY 65534

static struct { bool borrowed; uid_t uid; gid_t gid; } service;

/* ---- users */

bool
rights_borrow(void)
{
	const struct passwd *pw;

	if (geteuid() != 0 || (pw = getpwnam(RIGHTS_USER)) == NULL || pw->pw_uid == 0)
		return false;
	service.uid = pw->pw_uid;
	service.gid = pw->pw_gid;
	if (initgroups(RIGHTS_USER, service.gid) < 0 || setegid(service.gid) < 0 || seteuid(service.uid) < 0)
		fatal("becoming " RIGHTS_USER ": %s", strerror(errno));
	service.borrowed = true;
	return true;
}

static int
become(uid_t uid, gid_t gid)
{
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -1;
	assert(uid == 0 || setuid(0) < 0);	/* the kernel's promise: there is no way back */
	return 0;
}

/* While root: what is not in this set can never be gained again. Without the right to it the set means nothing, for exec gives
 * no new privileges. */
static void
bounding_set_empty(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static int
capabilities_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 }, now[_LINUX_CAPABILITY_U32S_3] = { 0 };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* The unit's filter has no capset(2), and under it there is nothing to drop. */
	if (syscall(SYS_capget, &head, now) == 0 && memcmp(now, none, sizeof none) == 0)
		return 0;
	return (int)syscall(SYS_capset, &head, none);
}

/* No core file, no gain by exec, no other process of the same user looks in: the parent holds every secret. */
static int
harden(void)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_DUMPABLE, SANITIZED ? 1 : 0, 0, 0, 0);
}

/* ---- folders */

/* As root. One that is there stays as it is. */
static void
folder_make(const char *path, mode_t mode)
{
	struct stat st;
	int fd;

	if (mkdir(path, mode) < 0) {
		if (errno != EEXIST)
			log_warn("%s: cannot be made", path);
		return;
	}
	if (!service.borrowed)
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || fchown(fd, service.uid, service.gid) < 0)
		log_warn("%s: cannot be given to " RIGHTS_USER, path);
	if (fd >= 0)
		close(fd);
}

/* With the rights that stay. User 0 without capabilities goes by the owner like everybody else, so the parent's own access()
 * says nothing of its children there. */
static bool
usable(const char *path, int mode)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (geteuid() == 0 && st.st_uid != 0) {
		errno = EACCES;
		return false;
	}
	return access(path, mode) == 0;
}

static int
folder_check(const char *path, const char *file)
{
	char inside[400];

	if (usable(path, R_OK | W_OK | X_OK)) {
		snprintf(inside, sizeof inside, "%s/%s", path, file);
		if (access(inside, F_OK) < 0 || usable(inside, R_OK | W_OK))
			return 0;
	}
	log_error("%s: user %u cannot use it (%s); put it right with: install -d %s && chown -R %u:%u %s", path, (unsigned)geteuid(),
	    strerror(errno), path, (unsigned)geteuid(), (unsigned)getegid(), path);
	return -1;
}

int
rights_parent(const char *state_dir, const char *run_dir)
{
	if (service.borrowed && seteuid(0) < 0) {
		log_warn("taking root back to make the folders");
		return -1;
	}
	folder_make(state_dir, 0750);
	folder_make(run_dir, 0755);
	if (service.borrowed)
		bounding_set_empty();
	if (service.borrowed && become(service.uid, service.gid) < 0) {
		log_warn("becoming " RIGHTS_USER);
		return -1;
	}
	if (geteuid() == 0)
		log_warnx("running as root: there is no user " RIGHTS_USER " to become (see camtrapd.sysusers). The pollers and notify "
		    "become user %d, all roles lose their capabilities, this process stays root", NOBODY);
	else if (capabilities_drop() < 0) {
		log_warn("dropping capabilities");
		return -1;
	}
	if (harden() < 0) {
		log_warn("giving up privileges");
		return -1;
	}
	return folder_check(state_dir, "camtrapd.db") < 0 || folder_check(run_dir, ".") < 0 ? -1 : 0;
}

int
rights_role(enum peer_role role)
{
	bool network = role == PEER_POLLER || role == PEER_NOTIFY;

	assert(role >= PEER_POLLER && role <= PEER_VIEWS);
	bounding_set_empty();
	/* A container may map no user but 0; its root is nobody's root outside, and the capabilities go in any case. */
	if (geteuid() == 0 && network && (setgroups(0, NULL) < 0 || become(NOBODY, NOBODY) < 0))
		log_warn("becoming user %d; stays user 0 without capabilities", NOBODY);
	if (capabilities_drop() < 0 || harden() < 0) {
		log_warn("giving up privileges");
		return -1;
	}
	return 0;
}

/* ---- system calls */

enum { P = 1 << PEER_POLLER, E = 1 << PEER_ENGINE, N = 1 << PEER_NOTIFY, V = 1 << PEER_VIEWS, ALL = P | E | N | V };

/* Nobody has execve, fork, ptrace, kill, mount, bpf or anything else that is not named here. */
static const struct allowed { const char *name; unsigned roles; } allowed[] = {
	/* memory, threads' locks, time, the end */
	{ "brk", ALL }, { "munmap", ALL }, { "mremap", ALL }, { "madvise", ALL }, { "futex", ALL }, { "rseq", ALL },
	{ "set_robust_list", ALL }, { "sched_yield", ALL }, { "getrandom", ALL }, { "clock_gettime", ALL }, { "clock_getres", ALL },
	{ "gettimeofday", ALL }, { "time", ALL }, { "clock_nanosleep", ALL }, { "nanosleep", ALL }, { "restart_syscall", ALL },
	{ "rt_sigaction", ALL }, { "rt_sigprocmask", ALL }, { "rt_sigreturn", ALL }, { "sigaltstack", ALL }, { "exit", ALL },
	{ "exit_group", ALL }, { "getpid", ALL }, { "gettid", ALL }, { "getuid", ALL }, { "geteuid", ALL }, { "getgid", ALL },
	{ "getegid", ALL }, { "getrusage", ALL },
	{ "sysinfo", ALL },
	/* descriptors that are open already */
	{ "read", ALL }, { "readv", ALL }, { "write", ALL }, { "writev", ALL }, { "close", ALL }, { "fcntl", ALL }, { "fstat", ALL },
	{ "lseek", ALL }, { "poll", ALL }, { "ppoll", ALL }, { "select", ALL }, { "pselect6", ALL }, { "epoll_ctl", ALL },
	{ "epoll_wait", ALL }, { "epoll_pwait", ALL }, { "epoll_pwait2", ALL }, { "epoll_create1", ALL }, { "eventfd2", ALL },
	{ "recvmsg", ALL }, { "sendmsg", ALL }, { "getsockopt", ALL }, { "setsockopt", ALL }, { "shutdown", ALL },
	{ "recvfrom", P | N }, { "sendto", P | N }, { "recvmmsg", P | N }, { "sendmmsg", P | N }, { "getsockname", P | N | V },
	{ "getpeername", N | V }, { "accept4", V }, { "accept", V },
	/* sockets of its own: receivers, and whom to ask for their names */
	{ "connect", N }, { "bind", N },
	/* files. fstat(3) of glibc is newfstatat, so all have it. */
	{ "newfstatat", ALL }, { "statx", E | N | V }, { "stat", E | N | V }, { "lstat", E | N | V }, { "access", E | N | V },
	{ "faccessat", E | N | V }, { "faccessat2", E | N | V }, { "readlink", E | N | V }, { "readlinkat", E | N | V },
	{ "getcwd", E | N | V }, { "pread64", E | N | V }, { "uname", N }, { "statfs", E | N | V }, { "fstatfs", E | N | V },
	{ "openat", E }, { "open", E }, { "pwrite64", E }, { "ftruncate", E }, { "fallocate", E }, { "fsync", E }, { "fdatasync", E },
	{ "mkdir", E }, { "mkdirat", E }, { "unlink", E }, { "unlinkat", E }, { "rename", E }, { "renameat", E }, { "renameat2", E },
	{ "fchmod", E }, { "fchown", E }, { "chmod", E }, { "umask", E }, { "getdents64", E | N },
	{ "flock", E },
	/* code from files: only the modules of nsswitch.conf need it */
	{ "mmap", N }, { "mprotect", N },
};

#define WRITING (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* Allowed if one argument is as said. */
static const struct allowed_if { const char *name; unsigned roles; struct scmp_arg_cmp when; } allowed_if[] = {
	{ "mmap", P | E | V, { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ "mprotect", P | E | V, { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	/* Reading only: SQLite then maps the -shm file read-only too, so views cannot write to the database if it wanted to. */
	{ "openat", N | V, { 2, SCMP_CMP_MASKED_EQ, WRITING, O_RDONLY } },
	{ "open", N | V, { 1, SCMP_CMP_MASKED_EQ, WRITING, O_RDONLY } },
	{ "ioctl", ALL, { 1, SCMP_CMP_EQ, FIONREAD, 0 } },	/* libevent */
	{ "ioctl", ALL, { 1, SCMP_CMP_EQ, FIONBIO, 0 } },
	{ "prlimit64", ALL, { 2, SCMP_CMP_EQ, 0, 0 } },		/* asking, not setting */
	{ "socket", N, { 0, SCMP_CMP_EQ, AF_INET, 0 } },
	{ "socket", N, { 0, SCMP_CMP_EQ, AF_INET6, 0 } },
	{ "socket", N, { 0, SCMP_CMP_EQ, AF_UNIX, 0 } },	/* nscd, systemd-resolved */
	{ "clone", N, { 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM } },	/* getaddrinfo_a() */
};

/* A name that this architecture does not have is no mistake: its calls have other names. */
static int
rule(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *when)
{
	int call = seccomp_syscall_resolve_name(name);

	return call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(f, action, call, n, when);
}

static int
rules(scmp_filter_ctx f, unsigned role)
{
	struct scmp_arg_cmp self = { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 };
	int rc = rule(f, SCMP_ACT_ALLOW, "tgkill", 1, &self);	/* abort() */

	/* Its flags lie in memory, where a filter cannot look; glibc goes on with clone(). */
	if (rc == 0)
		rc = rule(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
	/* "There are no files": a library that would like to have one goes on without. */
	if (rc == 0 && (role & P) != 0)
		rc = rule(f, SCMP_ACT_ERRNO(ENOENT), "openat", 0, NULL);
	for (size_t i = 0; rc == 0 && i < nitems(allowed); i++)
		if ((allowed[i].roles & role) != 0)
			rc = rule(f, SCMP_ACT_ALLOW, allowed[i].name, 0, NULL);
	for (size_t i = 0; rc == 0 && i < nitems(allowed_if); i++)
		if ((allowed_if[i].roles & role) != 0)
			rc = rule(f, SCMP_ACT_ALLOW, allowed_if[i].name, 1, &allowed_if[i].when);
	return rc;
}

bool
rights_filter(enum peer_role role)
{
	scmp_filter_ctx f;
	int rc;

	assert(role >= PEER_POLLER && role <= PEER_VIEWS);
	if (SANITIZED) {
		log_debug("no system call filter in a build with a sanitizer");
		return false;
	}
	tzset();			/* reads a file */
	if ((f = seccomp_init(SCMP_ACT_ERRNO(EPERM))) == NULL)
		rc = -ENOMEM;
	else if ((rc = rules(f, 1U << role)) == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc < 0) {
		errno = -rc;
		log_warn("no system call filter");
	}
	return rc == 0;
}
