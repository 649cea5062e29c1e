fn main() {
    println!("cargo:rustc-env=WORDS_BUILT_FOR={}", std::env::var("TARGET").unwrap());
}
