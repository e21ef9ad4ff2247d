/* agent/cli/classify.c: the daemon's own identify() on evidence from the command line. */
#include "cli/classify.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "client/client.h"
#include "config/conf.h"
#include "model/policy.h"
#include "model/registry.h"

static void
complain(void *arg, const char *line)
{
	if (arg == NULL)
		fprintf(stderr, "%s\n", line);
}

/* The named file must be right; without one, defaults and the policies that are installed. */
static struct conf *
conf_for_classify(const char *path)
{
	static const char *const folders[] = { CAMTRAPD_SYSCONFDIR "/policy.d/", CAMTRAPD_DATADIR "/policy.d/" };
	char name[64];
	struct conf *c;
	int fd;

	if (path != NULL)
		return conf_load(path, complain, NULL);
	/* Its mistakes are not told: it may only be that its secrets are root's. */
	if (access(CAMTRAPD_SYSCONFDIR "/camtrapd.conf", R_OK) == 0
	    && (c = conf_load(CAMTRAPD_SYSCONFDIR "/camtrapd.conf", complain, &fd)) != NULL)
		return c;
	if ((fd = memfd_create("defaults", MFD_CLOEXEC)) < 0)
		return NULL;
	for (size_t i = 0; i < nitems(folders); i++) {
		if (access(folders[i], R_OK | X_OK) == 0) {
			dprintf(fd, "policy = [ \"%s\" ];\n", folders[i]);
			break;
		}
	}
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	c = conf_load(name, complain, NULL);
	close(fd);
	return c;
}

static int
classify_print(const struct verdict_of_maker *v, struct mac mac, const struct registry_match *m, const struct evidence *e, size_t n,
    bool json)
{
	json_t *policies = json_array(), *evidence = json_array(), *doc;
	char text[MAC_TEXT];

	for (size_t i = 0; i < v->n_policies; i++)
		json_array_append_new(policies, json_string(v->policies[i]));
	for (size_t i = 0; i < n; i++)
		json_array_append_new(evidence, json_pack("{s:s, s:s, s:s}", "source", e[i].source, "key", e[i].key, "value", e[i].value));
	doc = json_pack("{s:i, s:s, s:o, s:i, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "version", 1, "mac", mac_text(mac, text), "organisation",
	    m->organisation != NULL ? json_string(m->organisation) : json_null(), "blockBits", (int)m->bits, "restricted", v->restricted,
	    "conflict", v->conflict, "vendor", v->vendor[0] != '\0' ? json_string(v->vendor) : json_null(), "policies", policies,
	    "confidence", v->confidence != 0 ? json_string(confidence_word(v->confidence)) : json_null(), "reason",
	    v->reason[0] != '\0' ? json_string(v->reason) : json_null(), "evidence", evidence);
	if (json) {
		json_dumpf(doc, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		printf("%s  %s\n", text, v->restricted ? "restricted" : "not restricted");
		printf("  registered to  %s\n", m->organisation != NULL ? m->organisation : "-");
		printf("  vendor         %s\n", v->vendor[0] != '\0' ? v->vendor : "-");
		printf("  policies      ");
		for (size_t i = 0; i < v->n_policies; i++)
			printf(" %s", v->policies[i]);
		printf("%s\n", v->n_policies == 0 ? " -" : "");
		printf("  confidence     %s\n", v->confidence != 0 && v->restricted ? confidence_word(v->confidence) : "-");
		printf("  reason         %s\n", v->reason[0] != '\0' ? v->reason : "-");
		if (v->conflict)
			printf("  conflict       the registry and the device's own words name different makers\n");
	}
	json_decref(doc);
	return v->restricted ? EXIT_DONE : EXIT_NOTHING;
}

int
cmd_classify(int argc, char **argv, const char *conf_path, bool json)
{
	static const struct option options[] = { { "lldp", required_argument, NULL, 0 }, { "med-maker", required_argument, NULL, 1 },
		{ "med-model", required_argument, NULL, 2 }, { "dhcp-host", required_argument, NULL, 3 },
		{ "dhcp-class", required_argument, NULL, 4 }, { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	static const struct { const char *source, *key; } kinds[] = { { "lldp", "sysDesc" }, { "lldp-med", "maker" }, { "lldp-med", "model" },
		{ "dhcp", "host" }, { "dhcp", "class" } };
	struct evidence e[EVIDENCE_MAX];
	struct registry_match match;
	struct verdict_of_maker v;
	struct registry *r = NULL;
	struct conf *c = NULL;
	struct mac mac;
	size_t n = 0, missing = 0;
	int o, status = EXIT_REFUSED;

	optind = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'j') {
			json = true;
		} else if (o < 0 || o > 4) {
			return EXIT_USAGE;	/* getopt said why */
		} else if (n == EVIDENCE_MAX) {
			fprintf(stderr, "%s: more than %d texts\n", argv[0], EVIDENCE_MAX);
			return EXIT_USAGE;
		} else {
			memset(&e[n], 0, sizeof e[n]);
			snprintf(e[n].source, sizeof e[n].source, "%s", kinds[o].source);
			snprintf(e[n].key, sizeof e[n].key, "%s", kinds[o].key);
			text_clean(e[n].value, sizeof e[n].value, optarg, strlen(optarg));
			n++;
		}
	}
	if (optind + 1 != argc || mac_parse(argv[optind], &mac) < 0) {
		fprintf(stderr, optind + 1 == argc ? "%s: \"%s\" is not a MAC address\n" : "%s: one MAC address is wanted\n", argv[0], argv[optind]);
		return EXIT_USAGE;
	}
	if ((c = conf_for_classify(conf_path)) == NULL)
		goto out;
	if ((r = registry_load((const char *const *)c->registry.v, c->registry.n, &missing)) == NULL)
		goto out;
	match = registry_lookup(r, mac);
	v = identify(&c->policies, r, mac, e, n);
	if (c->policies.n == 0)
		fprintf(stderr, "camtrapctl: classify: no policy is in force, so nothing is restricted; -c FILE names a configuration with some\n");
	status = classify_print(&v, mac, &match, e, n, json);
out:
	registry_free(r);
	conf_free(c);
	return status;
}
