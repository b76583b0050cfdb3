//! What is denied and what only looks so: the words of the shipped `bahasa.toml`, on sentences as
//! people write them.

use bantuan70::rules::RuleSet;
use bantuan70::rules::syntax::{Parts, Source};

/// Whether a word of a text counts, where the shipped words of denial are in force.
fn counts(text: &str, word: &str) -> bool {
    let (name, language) = RuleSet::embedded_files().iter().find(|(name, _)| name.ends_with("bahasa.toml")).unwrap();
    let rule = super::rule(&format!("{{ any = [\"{word}\"], in = [\"new\"] }}"));
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let rules = RuleSet::from_sources(vec![source(name, language), source("x.toml", &rule)]).unwrap();
    super::judged(&rules, &Parts { text: text.to_owned(), ..Parts::default() }).fired.iter().any(|fired| *fired.rule == *"x")
}

/// The sentences of which the word in brackets does not come out as it should.
fn wrong(sentences: &[&str], should_count: bool) -> Vec<String> {
    let without_marks = |text: &str| text.replace(['[', ']'], "");
    let marked = |text: &str| text.split(['[', ']']).nth(1).unwrap_or_else(|| panic!("{text}: no word is marked")).to_owned();
    sentences.iter().filter(|text| counts(&without_marks(text), &marked(text)) != should_count).map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_is_asked_is_not_denied() {
    let asked = [
        "Pak ini link [phishing] benar tidak?",
        "ini link [phishing] bener gak",
        "mau tanya ini [penipuan] apa betul atau tidak",
        "apakah akun saya [diretas] atau tidak ya",
        "Pesan ini [penipuan] atau bukan? Mohon dicek.",
        "situsnya [palsu] apa bukan",
        "Itu jelas [penipuan], bukan?",
        "ini kan [penipuan] bukan?",
        "katanya data saya [bocor] iya gak?",
        "data saya [bocor] ga?",
        "hp saya [disadap] gak sih pak",
        "akun ini [dibajak] belum?",
        "file ini ada [virus] apa enggak",
        "Bukankah ini [penipuan]?",
        "bukannya ini [penipuan] ya",
        "Apakah [phishing] ini sudah ditutup?",
        "Is this a [scam] or not?",
        "It is a [scam], is it not?",
        "this is a [scam], isn't it?",
        "the link is [fake] right or not",
        "Isn't this a [scam]?",
        "Aren't these mails [phishing]?",
        "whether or not it is [phishing] we cannot tell",
        "Why isn't this [phishing] page taken down?",
        "why hasn't anyone blocked the [scam] number",
        "Kenapa situs [judi] ini tidak ditutup?",
        "kenapa belum ditindak situs [judi] ini",
    ];
    assert_eq!(wrong(&asked, true), Vec::<String>::new());
}

#[test]
fn what_only_looks_like_a_denial_denies_nothing() {
    let told = [
        "tidak tahu kenapa situs kami [diretas]",
        "saya ga tau kok bisa [dibajak] akun ig saya",
        "tidak tahu siapa yang [meretas]",
        "kami tidak paham kenapa bisa [diretas]",
        "saya tidak ngerti kok tiba2 [dibajak]",
        "tidak hanya situs utama yang [diretas] tetapi juga portal",
        "bukan cuma data pegawai yang [bocor]",
        "gak cuman foto yang [disebar] tapi juga ktp",
        "bukan saja server yang [diserang] melainkan juga cadangan",
        "pelakunya tidak lain [peretas] yang sama",
        "tak lama kemudian akun saya [dibajak]",
        "belum lama ini server kami [diserang]",
        "saya tidak sengaja klik [tautan] itu",
        "gak sadar udah ngisi [otp] di situ",
        "tanpa sadar saya kirim [otp] ke pelaku",
        "tanpa curiga saya buka [lampiran] itu",
        "tanpa pikir panjang saya klik [tautan]",
        "ini belum tentu [ransomware] tapi mirip",
        "belum jelas apakah data [bocor]",
        "kami belum yakin apakah ini [ransomware]",
        "bukan tidak mungkin data warga [bocor]",
        "tidak menutup kemungkinan data [bocor]",
        "tidak henti-hentinya server [diserang]",
        "tanpa henti situs kami [diserang]",
        "tak terhitung berapa kali kami [diserang]",
        "saya tidak terima data saya [disebar]",
        "saya tidak rela foto saya [disebar]",
        "saya tidak mau data saya [disebar] lagi",
        "saya gak nyangka bakal [tertipu]",
        "tidak menyangka kalau itu [penipu]",
        "tidak percaya akun saya [dibajak]",
        "kalau tidak bayar data saya [disebar]",
        "jika tidak membayar mereka akan [menyebarkan] data kami",
        "kalau tidak salah [diretas] tanggal 5",
        "belum lagi data pelanggan yang [bocor]",
        "file tidak bisa dibuka [terkunci] semua",
        "tidak bisa masuk [dibajak] orang",
        "pihak tidak bertanggungjawab [membobol] server",
        "orang tidak jelas [menipu] saya",
        "pelaku tidak diketahui [mencuri] data",
        "tidak diketahui siapa yang [membobol]",
        "tanpa hak [mengakses] sistem kami",
        "tanpa persetujuan saya data [disebar]",
        "tanpa disadari akun [dibajak]",
        "tak tanggung-tanggung semua server [dienkripsi]",
        "tidak ada angin tidak ada hujan akun [dibajak]",
        "saya tidak pernah pinjam tiba-tiba [ditagih]",
        "ga pernah pinjam kok [ditagih] terus",
        "saya tidak klik apa-apa tetap [dibajak]",
        "sudah lapor tidak ada tanggapan dan situs [judi] masih tayang",
        "belum ditangani kasus [peretasan] saya",
        "ini bukan pertama kalinya situs kami [diretas]",
        "bukan kali pertama kami [diserang]",
        "tidak luput dari [serangan] juga server cadangan",
        "tidak diragukan lagi ini [penipuan]",
        "tidak bisa dipungkiri [kebocoran] terjadi",
        "saya tidak sadar itu [palsu]",
        "tidak semua server [terenkripsi] hanya dua",
        "tidak seperti biasanya akun kami mengirim [spam]",
        "tiada hari tanpa [serangan] ke server kami",
        "bukan website kami yang dipakai untuk [menipu]",
        "saya ditipu via wa no 0812 lalu [dikuras]",
        "[penipuan] lewat WA no. 0812345",
        "bukan 1 akun yang [dibajak] tetapi 5",
        "We have no idea how we were [hacked]",
        "no clue how they got [hacked]",
        "I can't believe we got [phished]",
        "not only was the site [defaced] but data leaked",
        "we do not know who [hacked] us",
        "not sure how [hacked] it is",
        "I didn't realise it was [fake]",
        "did not notice that the page was [fake]",
        "I never thought we would be [hacked]",
        "not the first time we were [hacked]",
        "no wonder the server was [hacked]",
        "without warning our site was [attacked]",
        "not long after the account was [hijacked]",
        "we cannot rule out a [breach]",
        "a [breach] can not be ruled out",
        "please clean the [malware] from our server",
        "tell us when the [vulnerability] is fixed",
        "we cannot stop the [attack]",
        "never ending [spam] from this sender",
        "if we do not pay they will [leak] our files",
        "not all files were [encrypted]",
        "nothing but [spam] arrives",
        "tidak sampai lima menit akun saya [dibajak]",
        "nobody answers and the [scam] goes on",
        "Data [bocor]. Tidak ditemukan kendala lain.",
        "saya [tertipu] lewat no. rekening palsu",
    ];
    assert_eq!(wrong(&told, true), Vec::<String>::new());
}

#[test]
fn what_is_denied_does_not_count() {
    let denied = [
        "ini bukan [phishing]",
        "tidak ada data yang [bocor]",
        "tidak ada satu pun berkas kami yang [terkunci]",
        "[kebocoran] data tidak ada.",
        "Kebocoran [data]: tidak",
        "Permintaan [tebusan] - tidak ada",
        "[malware] tidak ditemukan",
        "tidak ditemukan [malware]",
        "tidak terjadi [kebocoran]",
        "kalau [ransomware] sih tidak.",
        "data [bocor] juga tidak.",
        "Apakah ada [tebusan]? Tidak.",
        "Apakah data [bocor]?\nTidak ada",
        "Any [ransom] demanded? No.",
        "Data [leaked]: no",
        "belum ada yang [menyerang]",
        "not a [DDoS]",
        "there is no [malware], leak or intrusion",
        "no malware, leak or [intrusion]",
        "awalnya kami kira [ransomware], ternyata disk rusak",
        "the scan came back clean of [malware]",
        "kami tidak [diretas], hanya salah konfigurasi",
        "[Phishing] ini sudah ditutup.",
        "the [vulnerability] has been fixed",
        "It isn't [ransomware]",
        "we were not [hacked]",
        "situs down bukan karena [ddos] tetapi listrik",
        "kalau tidak ada [virus] kami lanjutkan",
        "Benar, tidak ada data yang [bocor]",
        "Nobody I know has been [hacked]",
        "Lalu kami kira serangan [DDoS], ternyata juga bukan.",
        "Betul? Tidak ada data yang [bocor]",
        "akun saya aman, tidak [dibajak]",
        "ini bukan situs [phishing]",
        "Kami sudah cek. Tidak ditemukan [malware].",
    ];
    assert_eq!(wrong(&denied, false), Vec::<String>::new());
}
