/* tests/net/notify_peer.c: sends notifications with agent/notify's own code, without our other processes; for test_notify.py.
 * notify_peer ENGINE-ID-HEX BOOTS COUNT NAME,ADDRESS,PORT,KIND,SECRET... : KIND is inform2c, trap2c (SECRET: community), inform3
 * or trap3 (user alice, SHA-256 and AES-128, SECRET for both). COUNT informs to each; "NAME ROW RESULT MS WHY" per try on stdout.
 * Each line on stdin after a round asks for another one: what it meets may have changed meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "notify/snmp_notify.h"

static struct event_base *base;
static unsigned open_tries, n_names;
static char *names[16], alice[] = "alice";

static void
done(void *arg, uint64_t row, enum notify_result result, uint32_t rtt_ms, const char *why)
{
	static const char *const words[] = { "?", "acknowledged", "sent", "timed-out", "refused", "failed" };

	(void)arg;
	printf("%s %llu %s %u %s\n", names[row % n_names], (unsigned long long)row, words[result], rtt_ms, why);
	fflush(stdout);
	if (--open_tries == 0)
		event_base_loopbreak(base);
}

int
main(int argc, char **argv)
{
	struct snmp_target *targets[16];
	struct conf_credential creds[16] = { 0 };
	struct snmp_notify *n;
	struct event e = { .id = "01JDEXAMPLE000000000000001", .sequence = 7, .epoch = 1, .type = EVENT_DEVICE_DETECTED, .severity = SEVERITY_CRITICAL,
	    .detection_id = 42, .mac = { { 0x44, 0x19, 0xb6, 1, 2, 3 } }, .vendor = "Hikvision", .policy = "uk-2022", .confidence = CONFIDENCE_CONFIRMED,
	    .presence = PRESENCE_PRESENT, .handling = HANDLING_OPEN, .origin = ORIGIN_NEW, .site = "hq", .switch_name = "acc-sw-07",
	    .switch_location = "floor 2, rack 4", .if_index = 14, .port = "Gi1/0/14", .alias = "Büro", .vlan = 120, .verdict = VERDICT_ACCESS,
	    .reason = "the only station there", .evidence = "OUI 44:19:b6", .at = { 1795000000000000 } };
	uint8_t id[32];
	size_t id_len = 0;
	unsigned count, boots;

	if (argc < 5 || argc > 4 + 16)
		return 2;
	log_init("notify_peer", LOG_LEVEL_DEBUG);
	for (const char *p = argv[1]; p[0] != '\0' && p[1] != '\0' && id_len < sizeof id; p += 2)
		id[id_len++] = (uint8_t)strtoul((char[]){ p[0], p[1], '\0' }, NULL, 16);
	boots = (unsigned)strtoul(argv[2], NULL, 10);
	count = (unsigned)strtoul(argv[3], NULL, 10);
	ip_parse("192.0.2.7", &e.switch_address);
	base = event_base_new();
	if ((n = snmp_notify_new(base, id, id_len, boots, done, NULL)) == NULL)
		return 1;
	for (int i = 4; i < argc; i++) {
		struct conf_credential *c = &creds[n_names];
		char *save = NULL, *address, *kind, *secret;
		const char *why = "";
		struct ip_port at = { 0 };

		names[n_names] = strtok_r(argv[i], ",", &save);
		address = strtok_r(NULL, ",", &save);
		at.port = (uint16_t)strtoul(strtok_r(NULL, ",", &save), NULL, 10);
		kind = strtok_r(NULL, ",", &save);
		secret = strtok_r(NULL, ",", &save);
		if (secret == NULL || ip_parse(address, &at.ip) < 0)
			return 2;
		c->version = strstr(kind, "3") != NULL ? SNMP_V3 : SNMP_V2C;
		c->community = secret;
		c->user = alice;
		c->auth = AUTH_SHA256;
		c->priv = PRIV_AES128;
		c->auth_secret = c->priv_secret = secret;
		if ((targets[n_names] = snmp_target_new(n, c, strncmp(kind, "inform", 6) == 0, (struct ip){ 0 }, &why)) == NULL) {
			fprintf(stderr, "%s: %s\n", names[n_names], why);
			return 1;
		}
		snmp_target_address(targets[n_names++], &at);
	}
	for (unsigned round = 0;; round++) {
		char line[8];

		for (unsigned k = 0; k < count * n_names; k++) {
			open_tries++;
			snmp_notify_send(targets[k % n_names], k + round * count * n_names, "1.3.6.1.4.1.8072.9999.9999.7162", "camtrapd-1", &e);
		}
		event_base_dispatch(base);
		if (fgets(line, sizeof line, stdin) == NULL)
			break;
	}
	for (unsigned i = 0; i < n_names; i++)
		snmp_target_free(targets[i]);
	snmp_notify_free(n);
	event_base_free(base);
	return 0;
}
