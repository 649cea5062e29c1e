import java.util.*;
public class Words {
    static Map<String, Integer> count(String text) {
        Map<String, Integer> counts = new TreeMap<>();
        for (String word : text.toLowerCase().split("\\s+")) counts.merge(word, 1, Integer::sum);
        return counts;
    }
    public static void main(String[] a) { System.out.println(count("one two two").get("two")); }
}
