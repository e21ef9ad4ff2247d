/* agent/main.c: camtrapd(8): the options, the configuration, and which process this is. No domain logic. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "config/conf.h"
#include "proc/child.h"
#include "proc/supervise.h"

#define EX_CONFIG 78
#define SERVICE_USER "_camtrapd"

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

static struct conf *
load(const char *path)
{
	struct conf *c = conf_load(path, complain, NULL);

	for (size_t i = 0; c != NULL && i < c->warnings.n; i++)
		fprintf(stderr, "warning: %s\n", c->warnings.v[i]);
	return c;
}

/* --role NAME:INDEX: only the parent says that. */
static int
role_main(const char *role, bool verbose)
{
	static const struct { const char *name; int (*main)(unsigned index); int (*main_one)(void); } roles[] = {
		{ "poller", poller_main, NULL }, { "engine", NULL, engine_main }, { "notify", NULL, notify_main },
		{ "views", NULL, views_main },
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
		return roles[i].main != NULL ? roles[i].main((unsigned)index) : roles[i].main_one();
	}
	return 2;
}

/* Started as root: become the service user for good, before any octet of the network is read. */
static int
drop_root(void)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	if ((pw = getpwnam(SERVICE_USER)) == NULL) {
		log_warnx("running as root: there is no user " SERVICE_USER " to become");
		return 0;
	}
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0 || setuid(0) == 0) {
		log_warn("becoming " SERVICE_USER);
		return -1;
	}
	return 0;
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
	bool verbose = false, check = false, dump = false;
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
	if ((c = load(path)) == NULL)
		return EX_CONFIG;
	if (check || dump) {
		if (dump)
			conf_dump(c, stdout);
		conf_free(c);
		return 0;
	}
	return drop_root() < 0 ? 1 : supervise(c, load, verbose);
}
