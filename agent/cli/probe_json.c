/* agent/cli/probe_json.c: rows as the document that recordings are compared with. */
#include "cli/probe_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

const char *
oper_word(unsigned oper)
{
	static const char *const words[] = { NULL, "up", "down", "testing", "unknown", "dormant", "notPresent", "lowerLayerDown" };

	return oper < nitems(words) ? words[oper] : NULL;
}

/* Device octets: UTF-8 if they are, else each octet is a Latin-1 character. */
static json_t *
text(const uint8_t *p, size_t n)
{
	json_t *j = json_stringn(n > 0 ? (const char *)p : "", n);	/* refuses what is not UTF-8 */
	char *latin;
	size_t at = 0;

	if (j != NULL)
		return j;
	if ((latin = malloc(2 * n + 1)) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80) {
			latin[at++] = (char)p[i];
		} else {
			latin[at++] = (char)(0xc0 | p[i] >> 6);
			latin[at++] = (char)(0x80 | (p[i] & 0x3f));
		}
	}
	j = json_stringn(latin, at);
	free(latin);
	return j;
}

static json_t *
octets(const struct octets *o)
{
	return text(o->p, o->n);
}

static json_t *
octets_or_null(const struct octets *o)
{
	return o->n > 0 ? octets(o) : json_null();
}

static json_t *
mac(struct mac m)
{
	char t[MAC_TEXT];

	return json_string(mac_text(m, t));
}

static json_t *
number_or_null(uint32_t v)
{
	return v != 0 ? json_integer(v) : json_null();
}

static json_t *
ip(const struct ip *a)
{
	static const uint8_t zero[12];
	char t[IP_TEXT];

	if (a->family == 6 && memcmp(a->b, zero, sizeof zero) == 0 && (a->b[12] | a->b[13]) != 0) {
		/* RFC 5952: inet_ntop() would write ::192.0.2.7, for no address of today */
		snprintf(t, sizeof t, "::%x:%x", a->b[12] << 8 | a->b[13], a->b[14] << 8 | a->b[15]);
		return json_string(t);
	}
	return a->family != 0 ? json_string(ip_text(a, t)) : json_null();
}

/* A chassis or port id by its subtype. */
static json_t *
id(const struct octets *o, bool is_mac, bool is_net)
{
	struct mac m;

	if (is_mac && octets_mac(o, &m))
		return mac(m);
	if (is_net && ((o->n == 5 && o->p[0] == 1) || (o->n == 17 && o->p[0] == 2))) {
		struct ip a = ip_of(o->p + 1, (unsigned)o->n - 1);

		return ip(&a);
	}
	return octets(o);
}

static json_t *
if_name(const struct tables *t, uint32_t if_index)
{
	const struct row_iface *f = tables_iface(t, if_index);

	return f == NULL ? json_null() : octets(f->name.n > 0 ? &f->name : &f->descr);
}

static void
add(json_t *list, json_t *o)
{
	(void)json_array_append_new(list, o);
}

static void
add_iface(json_t *list, const struct row_iface *f)
{
	const char *oper = oper_word(f->oper);

	add(list, json_pack("{s:I, s:o, s:o, s:o, s:s?}", "ifIndex", (json_int_t)f->if_index,
	    "name", octets(f->name.n > 0 ? &f->name : &f->descr), "descr", octets(&f->descr), "alias",
	    f->has_alias ? octets(&f->alias) : json_null(), "oper", oper));
}

static json_t *
fdb_status(unsigned status)
{
	static const char *const words[] = { NULL, "other", "invalid", "learned", "self", "mgmt" };

	return status > 0 && status < nitems(words) ? json_string(words[status]) : json_null();
}

static void
add_fdb(json_t *placed, json_t *unplaced, json_t *not_learned, const struct row_fdb *f)
{
	if (f->bridge_port == 0 && f->if_index == 0) {
		add(unplaced, json_pack("{s:o, s:o, s:o, s:s}", "mac", mac(f->mac), "vlan", number_or_null(f->vlan), "status",
		    fdb_status(f->status), "table", row_table_word(f->table)));
		return;
	}
	add(f->status == FDB_OTHER || f->status == FDB_MGMT ? not_learned : placed,
	    json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "mac", mac(f->mac), "vlan", number_or_null(f->vlan), "ifIndex",
	    number_or_null(f->if_index), "bridgePort", number_or_null(f->bridge_port), "status", fdb_status(f->status), "table",
	    row_table_word(f->table)));
}

static json_t *
caps(const struct row_neighbour *nb)
{
	static const char *const words[] = { "other", "repeater", "bridge", "wlanAccessPoint", "router", "telephone",
		"docsisCableDevice", "stationOnly" };
	json_t *list;

	if (!nb->caps_known)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < nitems(words); i++)
		if (nb->caps & CAP_OTHER >> i)
			add(list, json_string(words[i]));
	return list;
}

static json_t *
med(const struct row_neighbour *nb)
{
	if (nb->med_class == 0 && nb->med_hw.n + nb->med_fw.n + nb->med_sw.n + nb->med_serial.n + nb->med_maker.n +
	    nb->med_model.n + nb->med_asset.n == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "deviceClass", number_or_null(nb->med_class),
	    "hardware", octets_or_null(&nb->med_hw), "firmware", octets_or_null(&nb->med_fw), "software", octets_or_null(&nb->med_sw),
	    "serial", octets_or_null(&nb->med_serial), "manufacturer", octets_or_null(&nb->med_maker),
	    "model", octets_or_null(&nb->med_model), "asset", octets_or_null(&nb->med_asset));
}

static void
add_lldp(json_t *list, const struct row_neighbour *nb, const struct tables *t)
{
	json_t *addrs = json_array();

	for (unsigned i = 0; i < nb->n_mgmt; i++)
		add(addrs, ip(&nb->mgmt[i]));
	add(list, json_pack("{s:{s:I, s:o, s:o}, s:I, s:i, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}",
	    "localPort", "num", (json_int_t)nb->port_num, "ifIndex", number_or_null(nb->if_index), "name",
	    nb->if_index != 0 ? if_name(t, nb->if_index) : json_null(), "remIndex", (json_int_t)nb->rem_index,
	    "chassisIdSubtype", nb->chassis_subtype, "chassisId", id(&nb->chassis, nb->chassis_subtype == 4, nb->chassis_subtype == 5),
	    "portIdSubtype", nb->port_subtype, "portId", id(&nb->port, nb->port_subtype == 3, nb->port_subtype == 4),
	    "portDesc", octets(&nb->port_desc), "sysName", octets(&nb->sys_name), "sysDesc", octets(&nb->sys_desc),
	    "caps", caps(nb), "mgmtAddrs", addrs, "med", med(nb), "table", row_table_word(nb->table)));
}

static void
add_cdp(json_t *list, const struct row_neighbour *nb, const struct tables *t)
{
	add(list, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "ifIndex", (json_int_t)nb->if_index,
	    "name", if_name(t, nb->if_index), "deviceId", octets(&nb->chassis), "devicePort", octets(&nb->port),
	    "platform", octets(&nb->platform), "version", octets(&nb->sys_desc),
	    "address", nb->n_mgmt > 0 ? ip(&nb->mgmt[0]) : json_null(), "capabilities", (json_int_t)nb->cdp_caps));
}

/* The rows of one aggregate follow each other. */
static void
add_lag(json_t *list, const struct row_lag *l, const struct tables *t)
{
	json_t *last = json_array_get(list, json_array_size(list) - 1);

	if (last == NULL || json_integer_value(json_object_get(last, "ifIndex")) != (json_int_t)l->if_index) {
		last = json_pack("{s:I, s:o, s:[], s:s}", "ifIndex", (json_int_t)l->if_index, "name", if_name(t, l->if_index), "members",
		    "table", row_table_word(l->table));
		add(list, last);
	}
	add(json_object_get(last, "members"), json_integer(l->member));
}

static void
add_context(void *arg, uint16_t vlan, uint32_t entries, bool whole)
{
	add(arg, json_pack("{s:i, s:I, s:b}", "vlan", vlan, "entries", (json_int_t)entries, "whole", whole));
}

struct diagnostics { json_t *dropped, *incomplete, *rules; };

static void
diagnostic(void *arg, const char *kind, const char *what, uint32_t count)
{
	struct diagnostics *d = arg;

	if (str_eq(kind, "dropped"))
		add(d->dropped, json_pack("{s:s, s:I}", "reason", what, "count", (json_int_t)count));
	else if (str_eq(kind, "rule"))
		add(d->rules, json_pack("{s:s, s:I}", "rule", what, "count", (json_int_t)count));
	else
		add(d->incomplete, json_string(what));
}

json_t *
probe_json(const struct tables *t, uint32_t requests)
{
	json_t *system = NULL, *ifaces = json_array(), *fdb = json_array(), *unplaced = json_array(), *not_learned = json_array(),
	    *lldp = json_array(), *cdp = json_array(), *arp = json_array(), *contexts = json_array(),
	    *lags = json_array();
	struct diagnostics d = { json_array(), json_array(), json_array() };
	struct row row, *r = &row;

	for (size_t at = 0; tables_next(t, &at, r);) {
		switch (r->kind) {
		case ROW_SYSTEM:
			if (system == NULL)
				system = json_pack("{s:o, s:s, s:o}", "descr", octets(&r->system.descr), "objectID", r->system.object_id,
				    "name", octets(&r->system.name));
			break;
		case ROW_IFACE:
			add_iface(ifaces, &r->iface);
			break;
		case ROW_FDB:
			add_fdb(fdb, unplaced, not_learned, &r->fdb);
			break;
		case ROW_NEIGHBOUR:
			if (r->neighbour.table == TABLE_CDP)
				add_cdp(cdp, &r->neighbour, t);
			else
				add_lldp(lldp, &r->neighbour, t);
			break;
		case ROW_ARP:
			add(arp, json_pack("{s:o, s:o, s:I}", "ip", ip(&r->arp.ip), "mac", mac(r->arp.mac), "ifIndex",
			    (json_int_t)r->arp.if_index));
			break;
		case ROW_LAG:
			add_lag(lags, &r->lag, t);
			break;
		case ROW_NKINDS:
			break;
		}
	}
	tables_diagnostics(t, diagnostic, &d);
	tables_contexts(t, add_context, contexts);
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:o, s:o, s:o, s:o}}", "version", 1, "system",
	    system != NULL ? system : json_null(), "interfaces", ifaces, "fdb", fdb, "fdbUnplaced", unplaced, "fdbNotLearned", not_learned,
	    "lldp", lldp, "cdp", cdp, "arp", arp, "lags", lags, "diagnostics", "requests", (json_int_t)requests, "dropped", d.dropped,
	    "incomplete", d.incomplete, "rules", d.rules, "contexts", contexts);
}
