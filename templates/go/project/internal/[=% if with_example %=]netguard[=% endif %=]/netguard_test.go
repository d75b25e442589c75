package netguard

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestCheckLetsOnlyThePublicInternetThrough(t *testing.T) {
	t.Parallel()
	for addr, allowed := range map[string]bool{
		"1.1.1.1":                true,
		"2606:4700:4700::1111":   true,
		"127.0.0.1":              false,
		"127.8.8.8":              false,
		"::1":                    false,
		"::":                     false,
		"0.0.0.0":                false,
		"10.0.0.1":               false,
		"172.16.0.1":             false,
		"192.168.1.1":            false,
		"169.254.169.254":        false,
		"100.64.0.1":             false,
		"::ffff:127.0.0.1":       false,
		"::ffff:169.254.169.254": false,
		"64:ff9b::7f00:1":        false,
		"2002:7f00:1::":          false,
		"::127.0.0.1":            false,
		"2001:0:7f00:1::1":       false,
		"192.88.99.1":            false,
		"fe80::1%eth0":           false,
		"fd00::1":                false,
		"224.0.0.1":              false,
		"255.255.255.255":        false,
		"0.1.2.3":                false,
		"192.0.0.8":              false,
		"192.0.2.1":              false,
		"198.19.255.255":         false,
		"198.51.100.1":           false,
		"203.0.113.1":            false,
		"240.0.0.1":              false,
		"64:ff9b:1::a00:1":       false,
		"100::1":                 false,
		"2001:db8::1":            false,
		"fec0::1":                false,
		"fec0::1%eth0":           false,
		"1.0.0.1":                true,
		"100.128.0.1":            true,
		"198.20.0.1":             true,
		"2001:4860:4860::8888":   true,
	} {
		err := New(nil).Check(netip.MustParseAddr(addr))
		if (err == nil) != allowed {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestCheckLetsListedNetworksThrough(t *testing.T) {
	t.Parallel()
	guard := New([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fe80::/10")})
	for _, addr := range []string{"10.1.2.3", "::ffff:10.1.2.3", "fe80::1%eth0"} {
		if err := guard.Check(netip.MustParseAddr(addr)); err != nil {
			t.Error(err)
		}
	}
	if err := guard.Check(netip.MustParseAddr("10.2.0.1")); err == nil {
		t.Error("10.2.0.1 was allowed")
	}
}

func TestTransportChecksTheDialledAddress(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, url := range []string{server.URL, byName} {
		if status, err := get(t, New(nil), url); err == nil {
			t.Errorf("%s answered %d", url, status)
		}
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if status, err := get(t, New(loopback), server.URL); err != nil || status != http.StatusNotFound {
		t.Errorf("answered %d, %v", status, err)
	}
}

func get(t *testing.T, guard Guard, url string) (int, error) {
	t.Helper()
	transport := guard.Transport()
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
