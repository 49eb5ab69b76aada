import assert from "node:assert/strict";
import { test } from "node:test";
import { isPublicAddress } from "../../../ts-api/src/runtime/public-fetch.js";

test("addresses that a server must not be talked into asking", () => {
  const inside = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001::1",
    "fc00::1", "fdab::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
  ];
  assert.deepEqual(inside.filter(isPublicAddress), []);
});

test("addresses of the internet", () => {
  const outside = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "223.255.255.1", "2606:4700::1111", "2a00::1", "::ffff:8.8.8.8"];
  assert.deepEqual(outside.filter((address) => !isPublicAddress(address)), []);
  assert.deepEqual(["example.com", "", "1.1.1", "1.1.1.1.1"].filter(isPublicAddress), []);
});
