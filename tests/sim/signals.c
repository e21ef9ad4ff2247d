/* tests/sim/signals.c: see signals.h. Traps are v2c (RFC 3416 4.2.6). */
#include "signals.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ber.h"
#include "network.h"
#include "wire.h"

static struct sockaddr_in traps_to, syslog_to;
static const char *community;

static bool
address_read(const char *text, struct sockaddr_in *out)
{
	char host[64];
	const char *colon = text != NULL ? strrchr(text, ':') : NULL;

	if (text == NULL)
		return true;
	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		return false;
	snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
	out->sin_family = AF_INET;
	out->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return inet_pton(AF_INET, host, &out->sin_addr) == 1 && ntohl(out->sin_addr.s_addr) >> 24 == 127 && out->sin_port != 0;
}

bool
signals_to(const char *traps, const char *syslog, const char *secret)
{
	community = secret;
	return address_read(traps, &traps_to) && address_read(syslog, &syslog_to);
}

static void
trap_send(int s, int port, bool up)
{
	static const uint8_t down_oid[] = { 0x2b, 6, 1, 6, 3, 1, 1, 5, 3 }, up_oid[] = { 0x2b, 6, 1, 6, 3, 1, 1, 5, 4 };
	static int64_t id;
	struct objects o = { 0 };
	uint32_t i = (uint32_t)if_index(s, port);
	uint8_t buf[1500];
	struct ber_out w = { buf, buf + sizeof buf, false };

	object_uptime(&o);
	objects_uptime(&o, (uint32_t)((network.now - network.sw[s].booted) / 10));
	object_put(&o, PREFIX("1.3.6.1.6.3.1.1.4.1.0"), NULL, 0, BER_OID, up ? up_oid : down_oid, sizeof up_oid);
	object_number(&o, PREFIX("1.3.6.1.2.1.2.2.1.1"), &i, 1, BER_INTEGER, i);
	object_number(&o, PREFIX("1.3.6.1.2.1.2.2.1.7"), &i, 1, BER_INTEGER, 1);
	object_number(&o, PREFIX("1.3.6.1.2.1.2.2.1.8"), &i, 1, BER_INTEGER, up ? 1 : 2);
	ber_put(&w, o.bytes, o.n_bytes);
	ber_wrap(&w, BER_SEQUENCE, buf + sizeof buf);
	ber_put_number(&w, BER_INTEGER, 0);
	ber_put_number(&w, BER_INTEGER, 0);
	ber_put_number(&w, BER_INTEGER, ++id);
	ber_wrap(&w, BER_TRAP2, buf + sizeof buf);
	ber_put_octets(&w, BER_OCTETS, community, strlen(community));
	ber_put_number(&w, BER_INTEGER, 1);
	ber_wrap(&w, BER_SEQUENCE, buf + sizeof buf);
	objects_free(&o);
	if (!w.bad)
		wire_send(network.sw[s].ip, &traps_to, w.p, (size_t)(buf + sizeof buf - w.p));
}

/* A third of the switches each: IOS, Junos and ProCurve, as they write it. */
static void
syslog_send(int s, int port, bool up)
{
	static unsigned sequence;
	char line[512], name[PORT_NAME], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	port_name(s, port, name);
	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
	if (s % 3 == 0)
		n = snprintf(line, sizeof line, "<187>%u: %s: %%LINK-3-UPDOWN: Interface GigabitEthernet%s, changed state to %s", ++sequence, when,
		    name + 2, up ? "up" : "down");
	else if (s % 3 == 1)
		n = snprintf(line, sizeof line, "<28>%s %s mib2d[1514]: SNMP_TRAP_LINK_%s: ifIndex %d, ifAdminStatus up(1), ifOperStatus %s, ifName %s", when,
		    network.sw[s].name, up ? "UP" : "DOWN", if_index(s, port), up ? "up(1)" : "down(2)", name);
	else
		n = snprintf(line, sizeof line, "<14>%s %s 00076 ports:  port %s is now %s-line", when, network.sw[s].name, name, up ? "on" : "off");
	wire_send(network.sw[s].ip, &syslog_to, line, (size_t)n);
}

void
signals_link(int s, int port, bool up)
{
	if (network.sw[s].dead || network.sw[s].back > network.now)
		return;
	if (traps_to.sin_port != 0)
		trap_send(s, port, up);
	if (syslog_to.sin_port != 0)
		syslog_send(s, port, up);
}
