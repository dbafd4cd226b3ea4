"""Inputs: a corpus of what peers and files hold, what is nasty, and a mutator that is the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

LARGE_BYTES = 64 * 1024
"""One read, the most that a layer gets at a time."""

LARGE_EVERY = 500
"""One input in so many is stretched to that: enough to meet what is slow."""

CORPUS: list[bytes] = [
    b"Alice\n",
    b"Alice\r\nhello\r\n/me waves\r\n//slash\r\n/quit bye\r\n",
    b"/join #dev topic\n/who\n/rooms\n/nick Ally\n/msg Bob psst\n/topic words\n/away tea\n/ping\n/help\n",
    b'/history 20 since 2h\n/last Bob 5\n/search "a phrase" from:Bob in:#dev since:2d before:2026-11-01\n',
    b"/kick Bob rude\n/ban 10.0.0.0/8 10m flood\n/unban Bob\n/bans\n/mute Bob 1h\n/announce hi\n/modlog 5\n/oper root secret\n",
    b'{"t":"hello","v":1,"alias":"Alice","rooms":["#lobby"],"token":"t","log":"l","after":7,"client":"x"}\n',
    b'{"t":"say","id":"a1","room":"#lobby","text":"hi\\nthere","re":1}\n{"t":"me","id":"a2","room":"#lobby","text":"waves"}\n',
    b'{"t":"dm","id":"a3","to":"Bob","text":"psst"}\n{"t":"join","room":"#dev","topic":"x","key":"k"}\n{"t":"part","room":"#dev"}\n',
    b'{"t":"history","room":"#lobby","before":9,"after":1,"since":"2026-11-20T14:02:11Z","limit":5,"re":"x"}\n',
    b'{"t":"search","text":"tea","from":"Bob","since":"2d","limit":3}\n{"t":"ping","re":2}\n{"t":"quit","text":"bye"}\n',
    b'{"t":"ban","name":"10.0.0.0/8","for":"10m","text":"x"}\n{"t":"oper","name":"root","password":"secret"}\n{"t":"lag"}\n',
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"NICK bob\r\nUSER bob 0 * :Bob\r\n",
    b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
    + bytes(32)
    + b"\x00\x00\x02\x13\x01\x01\x00\x00\x00",
    b"\xff\xfd\x01\xff\xfb\x03\xff\xfa\x18\x00xterm\xff\xf0Alice\r\0hi\xff\xffx\r\n\xff\xf6",
    b"2h",
    b"2026-11-20",
    b"2026-11-20T14:02:11+01:00",
    b'from:Bob "tea at four" since:2d',
    "Žižek".encode(),
    "p\u0430ypal".encode(),
    "\u202eevil\u2066".encode(),
    "İstanbul".encode(),
    "\u1f82\u0345".encode(),
    b'[server]\nlisten = ["0.0.0.0:59000"]\npassword = "x"\nmotd = "hi"\n[limits]\nconnections_per_address = 4\n',
    b'[flood]\nenabled = true\nburst = 10\nper_second = 2.5\n[[operators]]\nname = "root"\nhash = "$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA"\n',
    b'[["s",1,1700000000000,"#lobby","s1","Ann","hi",1,["a"],false],["o",2,1,"s1","Ann","hash"],["c",3,1,"s1",true]]',
    b'[["j",4,1,"#a","s1","Ann",false],["l",5,1,"#a","s1","Ann","quit","bye",false],["w",6,1,"#a",["Ann"],1,[],0]]',
    b'[["a",7,1,"#a","s1","Ann","kick","Bob","s2","why",0]]',
    b'{"t":"welcome","v":1,"log":"l","sid":"s","token":"t","alias":"A","resumed":false,"seq":1,"grace_s":15,"rooms":[{"room":"#lobby","topic":"","people":[{"alias":"B","state":"here"}]}]}\n',
    b'-- hi\nChoose an alias:\n{"t":"say","seq":1,"time":"2026-11-20T14:02:11.000Z","room":"#lobby","from":"B","sid":"s","text":"x"}\n',
    b'{"t":"history","room":"#lobby","records":[{"t":"join","seq":2,"time":"x","room":"#a","alias":"A","sid":"s"}],"more":true}\n',
    b"true",
    b"-1",
    b"1e309",
    b'["a:1", "b:2"]',
    b"32",
]

TOKENS: list[bytes] = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\0",
    b"\0",
    b"\x1b[31m",
    b"\x1b]0;x\x07",
    b"\x9b",
    b"\x7f",
    b"\x1c",
    b"\x85",
    "\u0085".encode(),
    "\u2028".encode(),
    "\u2029".encode(),
    "\u202e".encode(),
    "\ufeff".encode(),
    "\u0301".encode() * 5,
    "\U000e0041".encode(),
    b"\xff",
    b"\xff\xff",
    b"\xff\xfa",
    b"\xff\xf0",
    b"\xff\xfd",
    b"\xfe\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"\\ud800",
    b"\\udc00",
    b"\\u0000",
    b"\\u001b",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"null",
    b"true",
    b"1e400",
    b"9" * 30,
    b"9" * 5_000,
    b"-",
    b"1.5",
    b"[" * 200,
    b"[" * 5_000,
    b'{"a":' * 200,
    b'"t":"say",',
    b'"re":{},',
    b'"text":null',
    b"/",
    b"//",
    b" HTTP/1.1\r\n",
    b"GET ",
    b"NICK ",
    b"PROXY ",
    b"\x16\x03",
    b"from:",
    b"since:",
    b"in:#",
    b"#",
    b"99999w",
    b"0s",
    b"=",
    b"\n[[",
    b'"""',
    b"'''",
    b"0x",
    b"inf",
    b"1979-05-27T07:32:00Z",
    b"$scrypt$ln=99,r=8,p=1$",
    b"::1",
    b"0.0.0.0/0",
    "\ufdfa".encode(),
    "ﬃ".encode(),
]


def mutated(random: Random, others: list[bytes] = CORPUS) -> bytes:
    """Something of the corpus, changed in one to six places."""
    data = bytearray(random.choice(others))
    for _ in range(random.randint(1, 6)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 1, 2, 4, 16, 64)))
        match random.randrange(8):
            case 0:
                data[at:at] = random.choice(TOKENS)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * random.choice((1, 2, 8))
            case 3 if at < len(data):
                data[at] = random.randrange(256)
            case 4:
                other = random.choice(others)
                data[at:end] = other[random.randint(0, len(other)) :]
            case 5:
                data[at:end] = random.randbytes(random.randint(0, 8))
            case 6:
                del data[at:]
            case _:
                data[at:end] = random.choice(TOKENS)
    if data and random.randrange(LARGE_EVERY) == 0:
        data *= LARGE_BYTES // len(data)
    return bytes(data[:LARGE_BYTES])
