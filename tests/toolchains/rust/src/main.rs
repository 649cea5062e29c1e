use std::collections::HashMap;

fn count(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    counts
}

fn main() {
    println!("{} {}", count("one two two")["two"], env!("WORDS_BUILT_FOR").contains("linux"));
}

#[test]
fn counts() {
    assert_eq!(count("a b A")["a"], 2);
}
