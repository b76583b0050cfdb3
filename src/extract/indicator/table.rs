//! How people write indicators, and what only looks like one: the spellings of reports, block lists,
//! chats and mail programs.

use super::{Collector, indicators};
use crate::model::effect::Indicators;

fn all(found: Indicators) -> Vec<String> {
    let Indicators { urls, domains, ips, hashes, emails, cves } = found;
    [urls, domains, ips, hashes, emails, cves].into_iter().flatten().collect()
}

const MD5: &str = "098f6bcd4621d373cade4e832627b4f6";
const SHA1: &str = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3";
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// What is typed, and all that is meant by it.
const SPELLINGS: &[(&str, &[&str])] = &[
    // Schemes.
    ("hxxp://jahat.example/a", &["http://jahat.example/a", "jahat.example"]),
    ("hxxps://jahat.example", &["https://jahat.example", "jahat.example"]),
    ("hXXps://Jahat.Example/A", &["https://jahat.example/A", "jahat.example"]),
    ("HXXPS://JAHAT.EXAMPLE/", &["https://jahat.example/", "jahat.example"]),
    ("h**p://jahat.example", &["http://jahat.example", "jahat.example"]),
    ("htxp://jahat.example", &["http://jahat.example", "jahat.example"]),
    ("hxtp://jahat.example", &["http://jahat.example", "jahat.example"]),
    ("meow://jahat.example/x", &["http://jahat.example/x", "jahat.example"]),
    ("meows://jahat.example/x", &["https://jahat.example/x", "jahat.example"]),
    ("fxp://jahat.example/x", &["ftp://jahat.example/x", "jahat.example"]),
    ("ftp://jahat.example/x", &["ftp://jahat.example/x", "jahat.example"]),
    ("http[:]//jahat.example", &["http://jahat.example", "jahat.example"]),
    ("http[://]jahat.example", &["http://jahat.example", "jahat.example"]),
    ("hxxps[:]//jahat[.]example", &["https://jahat.example", "jahat.example"]),
    ("hxxps(:)//jahat(.)example", &["https://jahat.example", "jahat.example"]),
    ("http:// jahat.example/x", &["http://jahat.example/x", "jahat.example"]),
    ("https://jahat.example/panel . gw punya apk nya", &["https://jahat.example/panel", "jahat.example"]),
    ("masuk ke jahat . example , terus", &["jahat.example"]),
    ("http : // jahat . example", &["http://jahat.example", "jahat.example"]),
    ("http:/jahat.example/x", &["http://jahat.example/x", "jahat.example"]),
    ("https:\\\\jahat.example", &["https://jahat.example", "jahat.example"]),
    ("https//jahat.example/x", &["https://jahat.example/x", "jahat.example"]),
    ("htps://jahat.example/x", &["https://jahat.example/x", "jahat.example"]),
    ("//jahat.example/x", &["jahat.example"]),
    // Dots.
    ("jahat[.]example", &["jahat.example"]),
    ("jahat(.)example", &["jahat.example"]),
    ("jahat{.}example", &["jahat.example"]),
    ("jahat<.>example", &["jahat.example"]),
    ("jahat[dot]example", &["jahat.example"]),
    ("jahat(dot)example", &["jahat.example"]),
    ("jahat {dot} example", &["jahat.example"]),
    ("jahat [DOT] example", &["jahat.example"]),
    ("jahat dot example", &["jahat.example"]),
    ("jahat titik example", &["jahat.example"]),
    ("jahat(titik)example", &["jahat.example"]),
    ("jahat-dot-example.example", &["jahat-dot-example.example"]),
    ("jahat\\.example", &["jahat.example"]),
    ("jahat[.example", &["jahat.example"]),
    ("jahat.]example", &["jahat.example"]),
    ("jahat [.] example", &["jahat.example"]),
    ("jahat。example", &["jahat.example"]),
    ("jahat．example", &["jahat.example"]),
    ("jahat｡example", &["jahat.example"]),
    ("jahat[,]example", &["jahat.example"]),
    ("masuk[.]jahat[.]example", &["masuk.jahat.example"]),
    ("masuk dot jahat dot example", &["masuk.jahat.example"]),
    ("ja\u{ad}hat.exam\u{ad}ple", &["jahat.example"]),
    ("jahat\u{200b}.\u{200b}example", &["jahat.example"]),
    ("jahat\u{2060}.example\u{feff}", &["jahat.example"]),
    ("ｊａｈａｔ．ｅｘａｍｐｌｅ", &["jahat.example"]),
    // IPv4.
    ("198[.]51[.]100[.]7", &["198.51.100.7"]),
    ("198.51.100[.]7", &["198.51.100.7"]),
    ("198(.)51(.)100(.)7", &["198.51.100.7"]),
    ("198[dot]51[dot]100[dot]7", &["198.51.100.7"]),
    ("198 dot 51 dot 100 dot 7", &["198.51.100.7"]),
    ("198 . 51 . 100 . 7", &["198.51.100.7"]),
    ("198.51.100.7:8080", &["198.51.100.7"]),
    ("198[.]51[.]100[.]7[:]8080", &["198.51.100.7"]),
    ("198.51.100.7, 198.51.100.8; 198.51.100.9.", &["198.51.100.7", "198.51.100.8", "198.51.100.9"]),
    ("[198.51.100.7]", &["198.51.100.7"]),
    ("<198.51.100.7>", &["198.51.100.7"]),
    ("198.51.100.0/24", &["198.51.100.0/24"]),
    ("198[.]51[.]100[.]0/24", &["198.51.100.0/24"]),
    ("198.51.100.7-198.51.100.9", &["198.51.100.7", "198.51.100.9"]),
    ("IP:198.51.100.7", &["198.51.100.7"]),
    ("ip=198.51.100.7&x", &["198.51.100.7"]),
    ("１９８．５１．１００．７", &["198.51.100.7"]),
    ("198。51。100。7", &["198.51.100.7"]),
    ("198\u{200b}.51\u{200b}.100\u{200b}.7", &["198.51.100.7"]),
    ("http://198.51.100.7:81/a", &["http://198.51.100.7:81/a", "198.51.100.7"]),
    ("hxxp://198[.]51[.]100[.]7:81/a", &["http://198.51.100.7:81/a", "198.51.100.7"]),
    // IPv6.
    ("2001:db8:0:0::7", &["2001:db8::7"]),
    ("2001:DB8::7", &["2001:db8::7"]),
    ("[2001:db8::7]", &["2001:db8::7"]),
    ("[2001:db8::7]:443", &["2001:db8::7"]),
    ("2001[:]db8[:]:7", &["2001:db8::7"]),
    ("2001:db8::7.", &["2001:db8::7"]),
    ("(2001:db8::7)", &["2001:db8::7"]),
    ("2001:db8::/32", &["2001:db8::/32"]),
    ("fe80::7%eth0", &["fe80::7"]),
    ("2001:db8::198.51.100.7", &["2001:db8::c633:6407"]),
    ("hxxp://[2001:db8::7]:8080/x", &["http://[2001:db8::7]:8080/x", "2001:db8::7"]),
    // URLs in their surroundings.
    ("https://jahat.example/a.", &["https://jahat.example/a", "jahat.example"]),
    ("(https://jahat.example/a)", &["https://jahat.example/a", "jahat.example"]),
    ("<https://jahat.example/a>", &["https://jahat.example/a", "jahat.example"]),
    ("\"https://jahat.example/a\",", &["https://jahat.example/a", "jahat.example"]),
    ("https://jahat.example/a);", &["https://jahat.example/a", "jahat.example"]),
    ("https://jahat.example/a_(b)", &["https://jahat.example/a_(b)", "jahat.example"]),
    ("[klik](https://jahat.example/a)", &["https://jahat.example/a", "jahat.example"]),
    ("*https://jahat.example/a*", &["https://jahat.example/a", "jahat.example"]),
    ("**https://jahat.example/a**", &["https://jahat.example/a", "jahat.example"]),
    ("_https://jahat.example/a_", &["https://jahat.example/a", "jahat.example"]),
    ("`hxxps://jahat[.]example/a`", &["https://jahat.example/a", "jahat.example"]),
    ("<a href=\"https://jahat.example/a\">x</a>", &["https://jahat.example/a", "jahat.example"]),
    ("https://jahat.example/a?x=1&amp;y=2", &["https://jahat.example/a?x=1&y=2", "jahat.example"]),
    ("https://jahat.example/a&nbsp;lalu", &["https://jahat.example/a", "jahat.example"]),
    ("https://jahat.example/a|teks", &["https://jahat.example/a", "jahat.example"]),
    ("https://jahat.example:8443/a", &["https://jahat.example:8443/a", "jahat.example"]),
    ("https://user:pw@jahat.example/a", &["https://user:pw@jahat.example/a", "jahat.example"]),
    ("https://jahat.example/a[.]php", &["https://jahat.example/a.php", "jahat.example"]),
    ("https://jahat.example…", &["https://jahat.example", "jahat.example"]),
    ("link:https://jahat.example/a", &["https://jahat.example/a", "jahat.example"]),
    ("jahat.example/masuk.php", &["jahat.example"]),
    ("www.jahat.example", &["www.jahat.example"]),
    ("jahat.example:8443", &["jahat.example"]),
    ("*.jahat.example", &["jahat.example"]),
    (".jahat.example", &["jahat.example"]),
    ("jahat.example.", &["jahat.example"]),
    ("domain=jahat.example;", &["jahat.example"]),
    ("_dmarc.jahat.example", &["jahat.example"]),
    (
        "https://jahat.example/masuk/akun/aman/terverifikasi/sekali/x/=\nhalaman",
        &["https://jahat.example/masuk/akun/aman/terverifikasi/sekali/x/halaman", "jahat.example"],
    ),
    ("<https://jahat.example/masuk/\nhalaman>", &["https://jahat.example/masuk/halaman", "jahat.example"]),
    // Wrapped by filters, click counters.
    (
        "https://nam02.safelinks.protection.outlook.com/?url=http%3A%2F%2Fjahat.example%2Fa&data=05",
        &["http://jahat.example/a", "jahat.example"],
    ),
    ("https://urldefense.proofpoint.com/v2/url?u=http-3A__jahat.example_a&d=Dw", &["http://jahat.example/a", "jahat.example"]),
    ("https://urldefense.com/v3/__http://jahat.example/a__;!!abc!def$", &["http://jahat.example/a", "jahat.example"]),
    ("https://www.google.com/url?q=https://jahat.example/a&sa=D", &["https://jahat.example/a", "jahat.example"]),
    ("https://l.facebook.com/l.php?u=https%3A%2F%2Fjahat.example%2Fa&h=AT", &["https://jahat.example/a", "jahat.example"]),
    ("https://l.instagram.com/?u=https%3A%2F%2Fjahat.example%2Fa&e=AT", &["https://jahat.example/a", "jahat.example"]),
    ("https://protect-us.mimecast.com/s/AbC?domain=jahat.example", &["jahat.example"]),
    ("https://secure-web.cisco.com/1abc/https%3A%2F%2Fjahat.example%2Fa", &["https://jahat.example/a", "jahat.example"]),
    // What a person writes is no newsletter's.
    ("https://track.kurir.example/cek", &["https://track.kurir.example/cek", "track.kurir.example"]),
    ("https://bank-aman.example/login?utm_medium=email", &["https://bank-aman.example/login?utm_medium=email", "bank-aman.example"]),
    ("https://akun.list-manage.com/x", &[]),
    ("198.51.100.0/24", &["198.51.100.0/24"]),
    ("198.51.100.5/99", &["198.51.100.5"]),
    ("198.51.100.5/0", &["198.51.100.5"]),
    ("0.0.0.0/0", &[]),
    ("169.254.169.254", &[]),
    ("224.0.0.1", &[]),
    ("2001:db8::/3", &["2001:db8::"]),
    ("d41d8cd98f00b204e9800998ecf8427e", &[]),
    ("https://protect-us.mimecast.com/s/AbC", &[]),
    // Endings of files.
    ("https://bank.zip/a", &["https://bank.zip/a", "bank.zip"]),
    ("masuk-bank[.]zip", &["masuk-bank.zip"]),
    ("www.bank.mov", &["www.bank.mov"]),
    ("toko-jahat.cc", &["toko-jahat.cc"]),
    ("jahat.web.app", &["jahat.web.app"]),
    // Names of other scripts.
    ("пример.example", &["xn--e1afmkfd.example", "пример.example"]),
    ("xn--e1afmkfd.example", &["xn--e1afmkfd.example", "пример.example"]),
    ("xn--e1afmkfd[.]example", &["xn--e1afmkfd.example", "пример.example"]),
    // Mail.
    ("penipu@jahat.example", &["penipu@jahat.example"]),
    ("<penipu@jahat.example>", &["penipu@jahat.example"]),
    ("mailto:penipu@jahat.example", &["penipu@jahat.example"]),
    ("Penipu@Jahat.Example", &["penipu@jahat.example"]),
    ("penipu[@]jahat[.]example", &["penipu@jahat.example"]),
    ("penipu[at]jahat[dot]example", &["penipu@jahat.example"]),
    ("penipu(at)jahat(dot)example", &["penipu@jahat.example"]),
    ("penipu {at} jahat.example", &["penipu@jahat.example"]),
    // "hosted at jahat dot example" is written so too.
    ("penipu at jahat dot example", &["jahat.example"]),
    ("penipu＠jahat.example", &["penipu@jahat.example"]),
    ("penipu@jahat[.]example,", &["penipu@jahat.example"]),
    ("dari:penipu.satu+a@jahat.example;", &["penipu.satu+a@jahat.example"]),
    // Hashes.
    ("098F6BCD4621D373CADE4E832627B4F6", &[MD5]),
    ("md5:098f6bcd4621d373cade4e832627b4f6", &[MD5]),
    ("MD5=098f6bcd4621d373cade4e832627b4f6", &[MD5]),
    ("MD5(file.exe)= 098f6bcd4621d373cade4e832627b4f6", &[MD5]),
    ("09:8f:6b:cd:46:21:d3:73:ca:de:4e:83:26:27:b4:f6", &[MD5]),
    ("09:8F:6B:CD:46:21:D3:73:CA:DE:4E:83:26:27:B4:F6", &[MD5]),
    ("a94a8fe5ccb19ba61c4c0873d391e987982fbbd3 *sampel.bin", &[SHA1]),
    ("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", &[SHA256]),
    ("(9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08)", &[SHA256]),
    ("0x9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", &[SHA256]),
    ("sha256_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", &[SHA256]),
    ("sampel yang dikirim: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1=\nb2b0b822cd15d6c15b0f00a08", &[SHA256]),
    // CVEs.
    ("cve-2026-1042", &["CVE-2026-1042"]),
    ("CVE 2026 10421", &["CVE-2026-10421"]),
    ("CVE_2026_10421", &["CVE-2026-10421"]),
    ("CVE–2026–10421", &["CVE-2026-10421"]),
    ("CVE2026-10421", &["CVE-2026-10421"]),
    ("CVE:2026-10421", &["CVE-2026-10421"]),
    ("CVE-2026-10421,", &["CVE-2026-10421"]),
    ("CVE- 2026-10421", &["CVE-2026-10421"]),
    ("(CVE‑2026‑10421)", &["CVE-2026-10421"]),
];

#[test]
fn m15_each_usual_spelling_gives_what_is_meant_and_nothing_else() {
    let mut wrong = Vec::new();
    for (typed, meant) in SPELLINGS {
        for text in [(*typed).to_owned(), format!("Pelaku memakai {typed} sejak kemarin"), format!("IOC:\n- {typed}\n- lainnya\n")] {
            let found = all(indicators(&text));
            let mut meant: Vec<&str> = meant.to_vec();
            meant.sort_unstable();
            let mut sorted: Vec<&str> = found.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            if sorted != meant {
                wrong.push(format!("{text:?}: {sorted:?}, not {meant:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), 3 * SPELLINGS.len(), wrong.join("\n"));
}

#[test]
fn what_only_looks_like_an_indicator_is_left_out() {
    let mut wrong = Vec::new();
    for text in [
        // Versions, dates, amounts, numbers of people.
        "versi 1.2.3.4",
        "PHP v7.4.33.1",
        "nginx version 1.18.0.2 dan OpenSSL 1.1.1",
        "Chrome/120.0.6099.71 Safari/537.36",
        "ver. 10.0.19045.3803",
        "rilis 4.5.6.7 aplikasi kami",
        "firmware 6.49.10.1",
        "tanggal 21.11.2026",
        "pukul 12.30.45",
        "12:30:45",
        "2026-11-21 08:15:00",
        "08:15::30",
        "Rp 2.500.000.000",
        "telepon 0800.000.123.456",
        "0800-000-1234",
        "+62 800 0000 0000",
        "NIK 3201234567890123",
        "NPWP 01.234.567.8-901.000",
        "No. 12/SK/2026",
        "pasal 1.2.3.4",
        "bab 3.1.2.1",
        "IMEI 356938035643809",
        "rekening 12345678901234567890123456789012",
        "00000000000000000000000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "a::b",
        "std::vector",
        "AA:BB:CC:DD:EE:FF",
        "1.2.3.999",
        "0.0.0.0",
        // File names.
        "report.pdf",
        "index.php",
        "setup.py",
        "Main.java",
        "readme.md",
        "invoice.zip",
        "libssl.so",
        "run.sh",
        "script.pl",
        "laporan.2026.zip",
        "255.255.255.0",
        "127.0.0.1",
        "Server: nginx/1.18.0.2",
        "AA:BB:CC:DD:EE:FF:00:11",
        "4F2A 91C3 77D0 1B5E 88AA 0C3D 5E6F 7A8B 9C0D 1E2F",
        "data.json",
        "undangan.apk",
        "main.rs",
        "wp-login.php",
        "wp-config.php.bak",
        "backup.tar.gz",
        "/var/www/html/index.html",
        "C:\\Windows\\System32\\cmd.exe",
        "foto.mov",
        "laporan.final.docx",
        "Surat_Tugas.pdf",
        "update.app",
        "config.ini",
        "System.IO",
        "asp.net",
        "node.js",
        // Sentences without a space.
        "sekali.Mohon dibantu",
        "kami kena . gw bingung",
        "sudah lapor . my boss",
        "tolong.terima kasih",
        "dibantu.ini penting",
        "a.n. Budi",
        "S.Kom., M.Si.",
        "PT.ABC",
        "d.a. Jl. Melati",
        "No.HP",
        "dll.dan",
        "e.g. this",
        "go.id",
        "co.id",
        ".com",
        "www.",
        "http://",
        "https://localhost/x",
        // Codes.
        "CVE-2026",
        "CVE-99-1",
        "cve 2026",
        "@akun",
        "a@b",
        "user@localhost",
        "kode [at] rumah",
        "Saya di rumah at this time",
        "titik dua dot",
    ] {
        let found = all(indicators(text));
        if !found.is_empty() {
            wrong.push(format!("{text:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_centres_own_domain_is_no_indicator() {
    let mut collector = Collector::new(Some("bssn.test"));
    collector.read("https://www.bssn.test/a bantuan70@bssn.test bssn[.]test hxxps://bssn[.]test/x BSSN.TEST https://bssn.test:8443/ bantuan70[at]bssn.test");
    assert_eq!(collector.found, Indicators::default());
    collector.read("https://bssn.test.jahat.example/ palsu-bssn.test");
    assert_eq!(all(collector.found), ["https://bssn.test.jahat.example/", "bssn.test.jahat.example", "palsu-bssn.test"]);
}
