/* agent/main.c: camtrapd(8): the options, the configuration, and which process this is. No domain logic. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "config/conf.h"
#include "proc/child.h"
#include "proc/rights.h"
#include "proc/supervise.h"

#define EX_CONFIG 78

static void
usage(FILE *out)
{
	fprintf(out,
	    "usage: camtrapd [-c FILE] [-f] [-v] [--check | --dump | --version | --help]\n"
	    "  -c, --config FILE   configuration (default %s/camtrapd.conf)\n"
	    "  -f, --foreground    stay in the foreground (this version always does)\n"
	    "  -v, --verbose       log what a developer wants to know\n"
	    "  -t, --check         check the configuration and all it names, say every mistake, exit 0 or 78\n"
	    "      --dump          print the effective configuration with defaults, secrets as ***\n"
	    "      --version       print the version\n"
	    "      --help          print this\n",
	    CAMTRAPD_SYSCONFDIR);
}

static void
complain(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Of files that the configuration names, but no line of it can be blamed for. False: without them the daemon is of no use. */
static bool
registry_check(const struct conf *c, conf_complain *say, conf_complain *warn, void *arg)
{
	size_t missing = 0;
	char line[1024];

	for (size_t i = 0; i < c->registry.n; i++) {
		if (access(c->registry.v[i], R_OK) == 0)
			continue;
		missing++;
		snprintf(line, sizeof line, "%s: agent.registry: %s: %s", c->path, c->registry.v[i], strerror(errno));
		warn(arg, line);
	}
	if (missing < c->registry.n)
		return true;
	snprintf(line, sizeof line, "%s: agent.registry: not one file can be read, so no maker would be recognised "
	    "(the packages ieee-data and libwireshark-data have them)", c->path);
	say(arg, line);
	return false;
}

/* For --check: start says more (proc/rights.h), with the rights that it has then. */
static bool
dirs_check(const struct conf *c)
{
	const char *const dirs[][2] = { { "state_dir", c->state_dir }, { "run_dir", c->run_dir } };
	bool ok = true;

	for (size_t i = 0; i < nitems(dirs); i++) {
		if (faccessat(AT_FDCWD, dirs[i][1], R_OK | W_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT)
			continue;			/* start makes it */
		fprintf(stderr, "%s: agent.%s: %s: %s\n", c->path, dirs[i][0], dirs[i][1], strerror(errno));
		ok = false;
	}
	return ok;
}

static void
complain_softly(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "warning: %s\n", line);
}

static struct conf *
load(const char *path)
{
	struct conf *c = conf_load(path, complain, NULL);

	for (size_t i = 0; c != NULL && i < c->warnings.n; i++)
		complain_softly(NULL, c->warnings.v[i]);
	if (c != NULL && !registry_check(c, complain, complain_softly, NULL)) {
		conf_free(c);
		c = NULL;
	}
	return c;
}

struct mistakes { char first[160]; size_t n; };

static void
mistake_logged(void *arg, const char *line)
{
	struct mistakes *m = arg;

	if (m->n++ == 0)
		snprintf(m->first, sizeof m->first, "%s", line);
	log_error("%s", line);
}

static void
warning_logged(void *arg, const char *line)
{
	(void)arg;
	log_warnx("%s", line);
}

static struct conf *
reload(const char *path, char *why, size_t size)
{
	struct mistakes m = { 0 };
	struct conf *c = conf_load(path, mistake_logged, &m);

	for (size_t i = 0; c != NULL && i < c->warnings.n; i++)
		log_warnx("%s", c->warnings.v[i]);
	if (c != NULL && !registry_check(c, mistake_logged, warning_logged, &m)) {
		conf_free(c);
		c = NULL;
	}
	if (m.n > 1)
		snprintf(why, size, "%s (and %zu more)", m.first, m.n - 1);
	else if (m.n == 1)
		snprintf(why, size, "%s", m.first);
	return c;
}

/* --role NAME:INDEX: only the parent says that. */
static int
role_main(const char *role, bool verbose)
{
	static const struct { const char *name; enum peer_role role; int (*main)(unsigned index); int (*main_one)(void); } roles[] = {
		{ "poller", PEER_POLLER, poller_main, NULL }, { "engine", PEER_ENGINE, NULL, engine_main },
		{ "notify", PEER_NOTIFY, NULL, notify_main }, { "views", PEER_VIEWS, NULL, views_main },
	};
	const char *colon = strchr(role, ':');
	static char who[32];
	uint64_t index;

	if (colon == NULL || num_parse(colon + 1, 0, 255, &index) < 0)
		return 2;
	for (size_t i = 0; i < nitems(roles); i++) {
		if (strlen(roles[i].name) != (size_t)(colon - role) || strncmp(role, roles[i].name, (size_t)(colon - role)) != 0)
			continue;
		if (roles[i].main == NULL)
			snprintf(who, sizeof who, "%s", roles[i].name);
		else
			snprintf(who, sizeof who, "%s %u", roles[i].name, (unsigned)index);
		log_init(who, verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
		child_is(roles[i].role);
		return roles[i].main != NULL ? roles[i].main((unsigned)index) : roles[i].main_one();
	}
	return 2;
}

int
main(int argc, char **argv)
{
	enum { OPT_DUMP = 256, OPT_VERSION, OPT_HELP, OPT_ROLE };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "foreground", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' }, { "check", no_argument, NULL, 't' },
		{ "dump", no_argument, NULL, OPT_DUMP }, { "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP }, { "role", required_argument, NULL, OPT_ROLE }, { NULL, 0, NULL, 0 },
	};
	const char *path = CAMTRAPD_SYSCONFDIR "/camtrapd.conf", *role = NULL;
	bool verbose = false, check = false, dump = false, borrowed;
	struct conf *c;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:fvt", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 'f':
			break;
		case 'v':
			verbose = true;
			break;
		case 't':
			check = true;
			break;
		case OPT_DUMP:
			dump = true;
			break;
		case OPT_VERSION:
			printf("camtrapd %s\n", CAMTRAPD_VERSION);
			return 0;
		case OPT_HELP:
			usage(stdout);
			return 0;
		case OPT_ROLE:
			role = optarg;
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "camtrapd: unexpected argument \"%s\"\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	if (role != NULL)
		return role_main(role, verbose);
	log_init("camtrapd", verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	borrowed = rights_borrow();
	if ((c = load(path)) == NULL) {
		if (borrowed)
			fprintf(stderr, "read as user " RIGHTS_USER ", who reads it again at a reload: the configuration and the key files are "
			    "to be root:" RIGHTS_USER " 0640\n");
		return EX_CONFIG;
	}
	if (check || dump) {
		/* Who is not root may look at the configuration of a daemon that is another user's. */
		bool usable = !check || !(borrowed || geteuid() == 0) || dirs_check(c);

		if (dump)
			conf_dump(c, stdout);
		conf_free(c);
		if (!usable)
			return EX_CONFIG;
		if (fflush(stdout) != 0) {
			perror("camtrapd: the print is not whole");
			return 1;
		}
		return 0;
	}
	if (rights_parent(c->state_dir, c->run_dir) < 0) {
		conf_free(c);
		return 1;
	}
	return supervise(c, reload, verbose);
}
