/* tests/net/notify_peer.c: sends notifications with agent/notify's own code, without our other processes; for test_notify.py.
 *
 *	notify_peer ENGINE-ID-HEX BOOTS COUNT NAME,ADDRESS[+ADDRESS...],PORT,KIND,SECRET[,SOURCE[,USER]]...
 *
 * KIND: trap1, inform2c, trap2c (SECRET: community), inform3 or trap3 (user alice unless USER, SECRET for both; SHA-256 and
 * AES-128, with "-512" behind it SHA-512 and AES-256). COUNT tries to each; "NAME ROW RESULT MS WHY" per try on stdout. With
 * LONGEST in the environment each object is as long as it can be, and the types 1 to 14 take turns. Each line on stdin after a
 * round asks for another one: what it meets may have changed meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "notify/snmp_notify.h"

#define ROOT "1.3.6.1.4.1.8072.9999.9999.7162"
#define TARGETS_MAX 16
#define FULL(field) memset(e->field, 'x', sizeof e->field - 1)

static struct event_base *base;
static unsigned open_tries, n_targets;
static struct peer {
	char			*name, user[33];
	struct conf_credential	 cred;
	struct snmp_target	*target;
} peers[TARGETS_MAX];

static void
done(void *arg, void *owner, uint64_t row, enum notify_result result, uint32_t rtt_ms, const char *why)
{
	static const char *const words[] = { "?", "acknowledged", "sent", "timed-out", "refused", "failed" };

	(void)arg;
	printf("%s %llu %s %u %s\n", ((struct peer *)owner)->name, (unsigned long long)row, words[result], rtt_ms, why);
	fflush(stdout);
	if (--open_tries == 0)
		event_base_loopexit(base, NULL);	/* also when all ended before the loop began */
}

static void
make_longest(struct event *e, unsigned type)
{
	e->type = (enum event_type)type;
	FULL(id); FULL(vendor); FULL(policy); FULL(site); FULL(switch_name); FULL(switch_location); FULL(port); FULL(alias);
	FULL(reason); FULL(evidence); FULL(text);
	for (size_t i = 0; i + 2 < sizeof e->evidence; i += 2)	/* and of two octets each: a cut may fall into one */
		memcpy(e->evidence + i, "\xc3\xbc", 2);
	e->sequence = e->epoch = e->detection_id = e->count = UINT32_MAX;
	e->if_index = INT32_MAX;
	ip_parse("2001:db8:1111:2222:3333:4444:5555:6666", &e->switch_address);
	ip_parse("2001:db8:1111:2222:3333:4444:5555:7777", &e->device_address);
}

/* One of the command's targets; false: not one. */
static bool
peer_open(struct snmp_notify *n, char *text)
{
	struct peer *p = &peers[n_targets];
	struct ip_port at[TARGET_ADDRESSES_MAX];
	char *field[7] = { NULL }, *save = NULL, *one = NULL;
	struct ip source = { 0 };
	const char *why = "";
	size_t n_at = 0, k = 0;

	for (char *f = strtok_r(text, ",", &save); f != NULL && k < nitems(field); f = strtok_r(NULL, ",", &save))
		field[k++] = f;
	if (k < 5 || (k > 5 && strcmp(field[5], "-") != 0 && ip_parse(field[5], &source) < 0))
		return false;
	for (char *a = strtok_r(field[1], "+", &one); a != NULL && n_at < nitems(at); a = strtok_r(NULL, "+", &one)) {
		at[n_at].port = (uint16_t)strtoul(field[2], NULL, 10);
		if (ip_parse(a, &at[n_at++].ip) < 0)
			return false;
	}
	p->name = field[0];
	snprintf(p->user, sizeof p->user, "%s", k > 6 ? field[6] : "alice");
	p->cred = (struct conf_credential){ .version = strchr(field[3], '3') != NULL ? SNMP_V3 : strstr(field[3], "2c") != NULL ? SNMP_V2C : SNMP_V1,
	    .community = field[4], .user = p->user, .auth = AUTH_SHA256, .priv = PRIV_AES128, .auth_secret = field[4], .priv_secret = field[4] };
	if (strstr(field[3], "-512") != NULL) {
		p->cred.auth = AUTH_SHA512;
		p->cred.priv = PRIV_AES256;
	}
	p->target = snmp_target_new(n, &p->cred, strncmp(field[3], "inform", 6) == 0, source, p, &why);
	if (p->target == NULL) {
		fprintf(stderr, "%s: %s\n", p->name, why);
		return false;
	}
	snmp_target_addresses(p->target, at, n_at);
	n_targets++;
	return true;
}

static void
round_of(unsigned first, unsigned count)
{
	struct event e = { .id = "01JDEXAMPLE000000000000001", .sequence = 7, .epoch = 1, .type = EVENT_DEVICE_DETECTED, .severity = SEVERITY_CRITICAL,
	    .detection_id = 42, .mac = { { 0x44, 0x19, 0xb6, 1, 2, 3 } }, .vendor = "Hikvision", .policy = "uk-2022", .confidence = CONFIDENCE_CONFIRMED,
	    .presence = PRESENCE_PRESENT, .handling = HANDLING_OPEN, .origin = ORIGIN_NEW, .site = "hq", .switch_name = "acc-sw-07",
	    .switch_location = "floor 2, rack 4", .if_index = 14, .port = "Gi1/0/14", .alias = "Büro", .vlan = 120, .verdict = VERDICT_ACCESS,
	    .reason = "the only station there", .evidence = "OUI 44:19:b6", .at = { 1795000000000000 } };

	ip_parse("192.0.2.7", &e.switch_address);
	open_tries = count * n_targets;
	for (unsigned k = 0; k < count * n_targets; k++) {
		if (getenv("LONGEST") != NULL)
			make_longest(&e, k / n_targets % 14 + 1);
		snmp_notify_send(peers[k % n_targets].target, first + k, ROOT, getenv("LONGEST") != NULL ? e.text : "camtrapd-1", &e);
	}
	event_base_dispatch(base);
}

int
main(int argc, char **argv)
{
	struct snmp_notify *n;
	uint8_t id[32];
	size_t id_len = 0;
	unsigned count, boots;
	char line[8];

	if (argc < 5 || argc > 4 + TARGETS_MAX)
		return 2;
	log_init("notify_peer", LOG_LEVEL_DEBUG);
	for (const char *p = argv[1]; p[0] != '\0' && p[1] != '\0' && id_len < sizeof id; p += 2)
		id[id_len++] = (uint8_t)strtoul((char[]){ p[0], p[1], '\0' }, NULL, 16);
	boots = (unsigned)strtoul(argv[2], NULL, 10);
	count = (unsigned)strtoul(argv[3], NULL, 10);
	base = event_base_new();
	if ((n = snmp_notify_new(base, id, id_len, boots, done, NULL)) == NULL)
		return 1;
	for (int i = 4; i < argc; i++)
		if (!peer_open(n, argv[i]))
			return 2;
	for (unsigned round = 0;; round++) {
		round_of(round * count * n_targets, count);
		if (fgets(line, sizeof line, stdin) == NULL)
			break;
	}
	for (unsigned i = 0; i < n_targets; i++)
		snmp_target_free(peers[i].target);
	snmp_notify_free(n);
	event_base_free(base);
	return 0;
}
