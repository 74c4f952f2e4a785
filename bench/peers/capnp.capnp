# A call whose request and reply are bytes, for bench/peers/capnp.cc.
@0xb4a7d3c1e95f2a68;

interface Bench {
  call @0 (request :Data) -> (reply :Data);
}
