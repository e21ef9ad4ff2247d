/* tests/fuzz/fuzz_text.c: device text and the spellings of people: cleaned text is valid and short, what is read prints and reads again.
 * The first octet is the room for the text. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/num.h"
#include "base/text.h"
#include "model/policy.h"
#include "model/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
spellings(const char *s)
{
	char text[WALL_TEXT], address[IP_TEXT], mac_out[MAC_TEXT], duration[24];
	struct ip_port a, a2;
	struct wall t, t2;
	struct mac m, m2;
	uint64_t v, v2;

	if (mac_parse(s, &m) == 0)
		assert(mac_parse(mac_text(m, mac_out), &m2) == 0 && mac_eq(m, m2));
	if (ip_port_parse(s, 161, &a) == 0)
		assert(ip_port_parse(ip_port_text(&a, 161, address), 161, &a2) == 0 && ip_eq(&a.ip, &a2.ip) && a.port == a2.port);
	if (duration_parse(s, &v) == 0)
		assert(duration_parse(duration_text(v, duration), &v2) == 0 && v == v2);
	if (wall_parse(s, &t) == 0 && t.us != 0)	/* printed in milliseconds */
		assert(wall_parse(wall_text(t, text), &t2) == 0 && t.us >= t2.us && t.us < t2.us + 1000);
	(void)num_parse(s, 1, 4094, &v);
	(void)organisation_eq(s, "Hangzhou Hikvision Digital Technology Co.,Ltd.");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out, *again, *cut, *s;
	size_t room, n, k;
	struct octets o = { 0 };
	struct mac m;

	if (size == 0)
		return 0;
	room = 1 + data[0];
	out = malloc(room);		/* each of its own size: a write past it is caught */
	again = malloc(room);
	cut = malloc(room);
	s = malloc(size);
	assert(out != NULL && again != NULL && cut != NULL && s != NULL);
	n = text_clean(out, room, data + 1, size - 1);
	assert(n < room && strlen(out) == n);
	assert(text_clean(again, room, out, n) == n && memcmp(out, again, n) == 0);
	k = text_cut(cut, room > n / 2 + 1 ? n / 2 + 1 : room, out);
	assert(strlen(cut) == k && k <= n / 2 && text_clean(again, room, cut, k) == k);
	text_hex(again, room, data + 1, size - 1);
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	spellings(s);
	if (octets_set(&o, data + 1, size - 1)) {
		(void)octets_mac(&o, &m);
		(void)octets_text(&o, out, room);
		octets_free(&o);
	}
	free(out), free(again), free(cut), free(s);
	return 0;
}
