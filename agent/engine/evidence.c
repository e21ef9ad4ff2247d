/* agent/engine/evidence.c: evidence is added, never taken back: a device must not talk itself off the list. */
#include "engine/evidence.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* One value per source and key and text. When there is no room left the newest of the same key makes place: what was said first
 * stays, however often a device changes its mind. */
static void
evidence_add(struct detection *d, const char *source, const char *key, const char *value, struct wall at)
{
	struct evidence ev = { .at = at };
	size_t same = EVIDENCE_MAX;

	if (value[0] == '\0')
		return;
	text_cut(ev.source, sizeof ev.source, source);
	text_cut(ev.key, sizeof ev.key, key);
	text_cut(ev.value, sizeof ev.value, value);
	for (size_t i = 0; i < d->n_evidence; i++) {
		if (strcmp(d->evidence[i].source, ev.source) != 0 || strcmp(d->evidence[i].key, ev.key) != 0)
			continue;
		if (strcmp(d->evidence[i].value, ev.value) == 0)
			return;
		same = i;
	}
	if (d->n_evidence < EVIDENCE_MAX)
		d->evidence[d->n_evidence++] = ev;
	else if (same < EVIDENCE_MAX)
		d->evidence[same] = ev;
}

static void
evidence_text(struct detection *d, const char *source, const char *key, const struct octets *value, struct wall at)
{
	char text[sizeof ((struct evidence *)0)->value];

	evidence_add(d, source, key, octets_text(value, text, sizeof text), at);
}

static void
evidence_of_neighbour(const struct row_neighbour *nb, struct detection *d, struct wall at)
{
	const char *source = nb->table == TABLE_CDP ? "cdp" : "lldp";

	evidence_text(d, source, nb->table == TABLE_CDP ? "deviceId" : "sysName", nb->table == TABLE_CDP ? &nb->chassis : &nb->sys_name, at);
	evidence_text(d, source, nb->table == TABLE_CDP ? "version" : "sysDesc", &nb->sys_desc, at);
	evidence_text(d, source, "portDesc", &nb->port_desc, at);
	evidence_text(d, source, "platform", &nb->platform, at);
	evidence_text(d, "lldp-med", "maker", &nb->med_maker, at);
	evidence_text(d, "lldp-med", "model", &nb->med_model, at);
	evidence_text(d, "lldp-med", "serial", &nb->med_serial, at);
	for (size_t i = 0; i < nb->n_mgmt; i++)
		if (d->ip.family == 0 && address_is_better(&d->ip, &nb->mgmt[i]))	/* what a router says is better */
			d->ip = nb->mgmt[i];
}

/* A neighbour on the station's own port is the station if it carries its MAC. If it names none, it is if both are alone there. One
 * that names another is somebody else, and a finding by that address: it may have come after the MAC table was read. */
static bool
is_station(const struct row_neighbour *nb, struct mac mac, bool alone)
{
	struct mac own[2];

	return neighbour_has_mac(nb, mac) || (alone && neighbour_macs(nb, own) == 0);
}

/* What a neighbour on the station's own port says of itself. */
void
evidence_of_place(const struct net *n, struct detection *d, struct wall at)
{
	const struct sw *sw = d->location.place.switch_name[0] != '\0' ? net_switch_named(n, d->location.place.switch_name) : NULL;
	const struct port *p = sw != NULL ? sw_port(sw, d->location.place.if_index) : NULL;
	size_t on_port = 0;

	if (p == NULL || p->uplink || !p->has_neighbour)
		return;
	for (size_t i = 0; i < sw->n_neighbours; i++)
		on_port += sw->neighbours[i].neighbour.if_index == p->if_index;
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;

		if (nb->if_index == p->if_index && is_station(nb, d->mac, on_port == 1 && p->stations <= 1))
			evidence_of_neighbour(nb, d, at);
	}
}

void
evidence_of_registry(const struct registry *r, struct detection *d, struct wall at)
{
	struct registry_match m = registry_lookup(r, d->mac);
	char value[sizeof ((struct evidence *)0)->value], dated[WALL_TEXT], mac[MAC_TEXT];
	const struct registry_file *files;
	const char *name;
	size_t n;

	if (m.organisation == NULL)
		return;
	for (size_t i = 0; i < d->n_evidence; i++)
		if (strcmp(d->evidence[i].source, "registry") == 0 && strncmp(d->evidence[i].value, m.organisation, strlen(m.organisation)) == 0)
			return;			/* said already, perhaps by an older file */
	files = registry_files(r, &n);
	dated[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (m.file != NULL && strcmp(files[i].path, m.file) == 0)
			wall_text(files[i].dated, dated);
	name = m.file != NULL && strrchr(m.file, '/') != NULL ? strrchr(m.file, '/') + 1 : m.file != NULL ? m.file : "?";
	mac_text(d->mac, mac);
	snprintf(value, sizeof value, "%.150s (MA-%c %.*s, %.40s of %.10s)", m.organisation, m.bits == 24 ? 'L' : m.bits == 28 ? 'M' : 'S',
	    m.bits == 24 ? 8 : m.bits == 28 ? 10 : 13, mac, name, dated);
	evidence_add(d, "registry", "organisation", value, at);
}

bool
address_is_better(const struct ip *old, const struct ip *new)
{
	bool link_only = (new->family == 6 && new->b[0] == 0xfe && (new->b[1] & 0xc0) == 0x80) ||
	    (new->family == 4 && new->b[0] == 169 && new->b[1] == 254);

	if (new->family == 0 || ip_is_special(new) || link_only || ip_eq(old, new))
		return false;
	return old->family == 0 || new->family == 4 || old->family == 6;
}

void
address_known(const struct net *n, struct mac mac, struct ip *out)
{
	for (size_t i = 0; i < n->n_switches; i++) {
		const struct sw *sw = n->switches[i];
		struct row_ref ref;
		struct row_arp a;

		for (size_t at = 0; sw->has_arp && rowset_next(&sw->table.rest, &at, &ref);)
			if (row_arp_unpack(ref.p, ref.n, mac, &a) && address_is_better(out, &a.ip))
				*out = a.ip;
	}
}
