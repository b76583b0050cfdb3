//! What documents and files are called, and the words that bring them or say that they are not
//! here. Lists alone; `document` reads them.

use crate::model::Document;

/// The words by which each document is called, in names and in sentences.
#[rustfmt::skip]
pub(super) const WORDS: &[(Document, &[&str])] = &[
    (Document::Identity, &[
        "ktp", "ektp", "e-ktp", "paspor", "passport", "identitas", "identity", "kartu pegawai", "kartu anggota", "kartu tanda penduduk",
        "kartu pelajar", "id card", "idcard", "kitas", "sim a", "foto sim", "scan sim", "fotokopi sim", "fotocopy sim", "my id",
        "photo id", "government id", "sim c", "nik",
    ]),
    (Document::Form, &[
        "formulir", "formnya", "form", "blangko", "fomulir", "formulirnya",
    ]),
    (Document::Topology, &[
        "topologi", "topology", "topo", "diagram", "diagram jaringan", "gambar jaringan", "denah jaringan", "skema jaringan",
        "network diagram", "network map", "arsitektur jaringan", "jaringan",
    ]),
    (Document::AssetInfo, &[
        "informasi aset", "info aset", "daftar aset", "data aset", "aset", "asset", "assets", "inventaris", "inventory", "daftar server",
        "servers", "server list", "affected hosts", "affected systems", "daftar perangkat", "perangkat terdampak", "daftar sistem",
        "spesifikasi server", "spesifikasi",
    ]),
    (Document::VulnerabilityInfo, &[
        "kerentanan", "vulnerability", "vulnerabilities", "vuln", "va report", "laporan va", "va", "pentest", "uji tembus",
        "penetration test", "nessus", "poc", "proof of concept", "cve", "idor", "sqli", "xss", "hasil pemindaian", "temuan celah",
        "celah", "nmap", "openvas", "nuclei", "security assessment", "penilaian keamanan", "vulnerable", "host rentan",
    ]),
    (Document::ImpactAnalysis, &[
        "analisis dampak", "analisa dampak", "dampak", "impact", "impact assessment", "impact analysis", "kerugian", "adr", "bia",
    ]),
];

/// Words that bring something along.
#[rustfmt::skip]
pub(super) const SUPPLYING: &[&str] = &[
    "lampir", "attach", "enclos", "sertakan", "disertakan", "berikut", "bersama ini", "kirimkan", "saya kirim", "sy kirim", "aku kirim",
    "gw kirim", "kirim foto", "kirim scan", "kami kirim", "sampaikan", "ini ktp", "ini form", "ini foto", "here is", "here are",
    "find the", "included", "lampiran", "unggah",
];

/// Words that say that it is not here, or not yet.
#[rustfmt::skip]
pub(super) const NOT_HERE: &[&str] = &[
    "menyusul", "belum", "nanti", "besok", "tidak dapat", "tidak bisa", "siap melampirkan", "siap dilampirkan", "will send",
    "will be sent", "will follow", "upon request", "to follow", "apakah", "bisa dikirim", "akan kami", "akan saya", "jika diperlukan",
    "bila diperlukan", "kalau perlu", "apabila diperlukan", "if needed", "on request", "later", "not attached", "tidak melampirkan",
    "tidak kami lampirkan", "lupa", "mohon dikirim", "?",
];

/// What pictures of an incident are called.
#[rustfmt::skip]
pub(super) const EVIDENCE: &[&str] = &[
    "tangkapan layar", "tangkapan layarnya", "screenshotnya", "buktinya", "tangkap layar", "screenshot", "screenshots", "screen shot",
    "bukti", "mutasi",
];

/// What scanners call themselves in what they write.
#[rustfmt::skip]
pub(super) const SCANNERS: &[&str] = &[
    "nmap scan report", "starting nmap", "# nmap ", "nessus", "openvas", "greenbone", "nuclei-templates", "masscan", "qualys", "acunetix",
    "burp suite", "owasp zap", "nikto v", "testssl.sh",
];

/// Words that stand together in what scanners and testers list.
#[rustfmt::skip]
pub(super) const SCANNED: &[&str] = &[
    "cve-", "cvss", "severity", "vulnerab", "kerentanan", "tingkat risiko", "remediation", "rekomendasi", "remediasi", "plugin id", "cpe:",
    "open port", "port terbuka", "firmware", "exploitab", "proof of concept", "unpatched", "rentan",
];

/// Words of a text about holes that are open.
#[rustfmt::skip]
pub(super) const VULNERABLE: &[&str] = &[
    "cve-", "vulnerab", "kerentanan", "rentan", "kelemahan", "celah", "unpatched", "not patched", "end of life", "end-of-life", "exposed",
    "without any authentication", "without authentication", "no authentication", "unauthenticated", "authentication bypass",
    "default password", "default credential", "kata sandi bawaan", "password bawaan", "password default", "tanpa autentikasi", "tanpa sandi",
    "misconfigur", "salah konfigurasi", "affected version", "affected release", "belum ditambal", "belum diperbarui", "belum di-update",
    "outdated", "hasil pemindaian", "hasil scan", "scan result", "pentest", "penetration test", "uji tembus", "open resolver",
];

/// Words of a text about what has happened.
#[rustfmt::skip]
pub(super) const HAPPENED: &[&str] = &[
    "infected", "terinfeksi", "sinkhole", "botnet", "c2", "failed password", "brute", "phishing", "palsu", "tiruan", "bocor", "leaked",
    "dijual", "for sale", "defac", "flood", "ddos", "amplif", "reflect", "dibobol", "diretas",
];

/// Words of file names that say nothing: cameras, scanners and programs write them.
#[rustfmt::skip]
pub(super) const EMPTY: &[&str] = &[
    "img", "image", "gambar", "foto", "photo", "scan", "scanned", "scanner", "doc", "document", "dokumen", "file", "berkas", "lampiran",
    "attachment", "part", "whatsapp", "whats", "app", "wa", "at", "pm", "am", "fb", "dsc", "dscn", "pict", "pic", "cam", "camscanner",
    "heic", "jpg", "jpeg", "png", "pdf", "copy", "final", "new", "baru", "rev", "untitled", "word", "excel", "unnamed", "noname",
    "telegram", "line", "album", "adobe", "p", "vid", "report", "assessment", "surat", "laporan", "analisis", "analisa",
];
