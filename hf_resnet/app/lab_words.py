"""Every text of the lab, in English and Burmese.

WORDS[language][key]; both languages have the same keys, and the same {places} to fill in. What the lab
shares with the classifier's page (refusals, reasons, examples) is said by `words`.
"""

from hf_resnet.app import words

TABS = ("layers", "maps", "gradcam", "ideal", "fool", "degrade")

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "See how a network sees",
        "subtitle": "Choose a network, give it a picture, and look inside before you teach it your own "
        "classes.",
        "network": "Network",
        "trained": "{count} classes, trained.",
        "untrained": "Random weights: this network has learned nothing yet. Its layers are real, its "
        "answers and maps mean nothing. Compare it with a trained one.",
        "says": "{network} says: {answers}",
        "no_picture_yet": "Give a picture, or take one of those below.",
        "credit": "The examples come with scikit-learn: china.jpg and flower.jpg, CC BY 2.0, "
        "danielbuechele and vultilion on Flickr.",
        "nothing_yet": "What you ask for appears here.",
        "working": "Working: {done} of {total}",
        "working_open": "Working: trial {done}",
        "tab_layers": "Layers",
        "layers_1": "Every row is a layer: it turns what comes in into the shape shown, with as many "
        "learned numbers as its row says.",
        "layers_2": "From top to bottom the maps get smaller and there are more of them: first edges, "
        "then parts, at last whole things.",
        "layers_3": "In transfer learning you keep all of this and train the last layer anew, since "
        "it alone knows the names of the classes; with many pictures you let the last stages learn too.",
        "depth": "How closely to look",
        "depth_1": "Coarse",
        "depth_2": "Finer",
        "depth_3": "Finer still",
        "depth_all": "Every layer",
        "column_layer": "Layer",
        "column_kind": "Kind",
        "column_window": "Kernel / stride / padding",
        "column_sum": "Output size, worked out",
        "column_shape": "Channels × height × width",
        "column_parameters": "Parameters",
        "column_work": "Multiply-adds",
        "table_caption": "The layers of {network} for one picture of {height}×{width} pixels",
        "table_total": "All together",
        "saving": "What a bottleneck saves, in {block} ({channels} channels): {ours} weights, where two "
        "plain 3×3 layers would need {plain}, {times} times as many.",
        "blocks_alt": "Drawing of the blocks of {network}, stage by stage; arcs are shortcuts",
        "blocks": "The blocks of {network}; arcs are shortcuts around them",
        "tab_maps": "Feature maps",
        "maps_1": "Every tile is one filter of a layer; it is bright where the filter found what it "
        "looks for.",
        "maps_2": "Move the slider: the first layers keep the picture and see edges and colours, deep "
        "ones are coarse and see parts.",
        "maps_3": "Early filters serve almost any picture, so with few pictures you leave them as they "
        "are; if yours look very unlike photos, deeper layers have to learn too.",
        "layer": "How deep: number of the layer",
        "maps_title": "Layer {number} of {count} of {network}: {layer} ({kind})",
        "maps_shape": "{channels} maps of {height}×{width}; here the {shown} that vary most. Every tile "
        "has its own scale.",
        "maps_shape_all": "{channels} maps of {height}×{width}. Every tile has its own scale.",
        "maps_alt": "Grid of {shown} feature maps of the layer {layer}",
        "seen": "What the network sees",
        "seen_alt": "The part of your picture that the network sees",
        "tab_gradcam": "Where it looks",
        "gradcam_1": "What glows is where the network found what speaks for a class (Grad-CAM).",
        "gradcam_2": "If the background glows and not the thing, it learned the wrong thing, even where "
        "its answer is right.",
        "gradcam_3": "Once it knows your classes, look here at some right and some wrong answers; where "
        "it looks beside the thing, collect pictures with other backgrounds.",
        "gradcam_ask": "Where does it look?",
        "glow": "{label}: {before}; with the brightest fifth covered {covered}",
        "glow_none": "{label}: {before}; nothing in the picture speaks for it",
        "glow_alt": "The picture in grey; what speaks for {label} glows",
        "tab_ideal": "Ideal picture",
        "ideal_1": "This picture grows from noise, step by step, into what the network holds for your "
        "chosen class most.",
        "ideal_2": "It shows what was learned of the class: its colours, its texture and its parts, "
        "often several times over.",
        "ideal_3": "If something shows up that is no part of the class (a hand, a meadow), the training "
        "pictures had it too often: collect some without it before you teach.",
        "class": "Class",
        "steps": "Steps a round",
        "seed": "Seed of the noise",
        "ideal_ask": "Grow the picture",
        "octave": "Round {number} of {count}",
        "octave_alt": "The picture of {label} after round {number} of {count}",
        "ideal_holds": "{network} holds the last picture to be {label}, {percent}; shifted in {all} "
        "directions it is still the answer each time.",
        "ideal_fails": "Not there yet: {network} gives {label} {percent}, and shifted it is the answer "
        "{kept} of {all} times. Take more steps or another seed.",
        "choose_class": "Choose a class first.",
        "tab_fool": "Fool it",
        "fool_1": "A change that you hardly see is made to every pixel, and the network gives another "
        "answer; in the middle the change is shown {times} times as strong.",
        "fool_2": "Move the slider up from 0, and see at which strength the answer tips over.",
        "fool_3": "So a high probability is no proof: before your own model decides anything, measure "
        "it on pictures unlike those it learned from, and let it say that it is unsure.",
        "target": "What it shall be taken for",
        "target_any": "anything else",
        "attack": "How",
        "attack_pgd": "many small steps (PGD)",
        "attack_fgsm": "one step (FGSM)",
        "fool_ask": "Find the smallest step",
        "strength": "Strength: most levels of 255 that a pixel is changed",
        "fool_original": "Original: {label} {percent}",
        "fool_noise": "The change × {times}; L2 {distance}",
        "fool_result": "Result: {label} {percent}",
        "fool_original_alt": "The picture as it was",
        "fool_noise_alt": "The change alone, made stronger; grey is no change",
        "fool_result_alt": "The picture with the change, which looks almost the same",
        "fool_smallest": "The smallest step that fools {network}: {levels} of 255 levels.",
        "fool_none": "No step of up to {levels} of 255 levels fooled {network}; shown is the one that "
        "came nearest.",
        "fool_now": "At strength {levels} of 255 the answer of {network} is {answer}.",
        "fool_now_same": "At strength {levels} of 255 the answer of {network} is still {answer}.",
        "tab_degrade": "Why shortcuts",
        "degrade_1": "Every point is a network of so many layers, all trained alike; lower is better.",
        "degrade_2": "Without shortcuts, deeper networks tend to do worse even on the pictures that "
        "they learn from; with shortcuts depth does no such harm.",
        "degrade_3": "This is why you can start from a deep pretrained network with shortcuts: choose "
        "its depth by the time and memory you have.",
        "degrade_title": "Wrong answers on the training pictures, by number of layers",
        "degrade_from": "Measured by hf-resnet degrade on {source}: {pictures} training pictures of "
        "{side}×{side} pixels, {epochs} epochs.",
        "degrade_layers": "layers",
        "degrade_plain": "without shortcuts",
        "degrade_residual_v1": "with shortcuts, v1",
        "degrade_residual_v2": "with shortcuts, v2",
        "degrade_point": "{kind}, {layers} layers: {error} wrong",
        "degrade_plot_errors": "Training and test error by depth, and how the training error fell",
        "degrade_plot_gradients": "How large the gradient of each convolution is",
        "degrade_plot_shift": "How far each layer's output moves from epoch to epoch",
    },
    "my": {
        "title": "ကွန်ရက်က ဘယ်လိုမြင်သလဲ ကြည့်ပါ",
        "subtitle": "ကွန်ရက်တစ်ခု ရွေးပါ၊ ပုံတစ်ပုံ ပေးပါ။ သင့်အမျိုးအစားများကို မသင်ပေးမီ အတွင်းပိုင်းကို ကြည့်ပါ။",
        "network": "ကွန်ရက်",
        "trained": "အမျိုးအစား {count} မျိုးကို သင်ကြားပြီး ဖြစ်သည်။",
        "untrained": "ကျပန်းအလေးချိန်များ — ဤကွန်ရက်သည် ဘာမျှ မသင်ယူရသေးပါ။ အလွှာများမှာ အစစ်ဖြစ်သော်လည်း "
        "အဖြေနှင့် မြေပုံများတွင် အဓိပ္ပာယ် မရှိသေးပါ။ သင်ကြားပြီး ကွန်ရက်နှင့် ယှဉ်ကြည့်ပါ။",
        "says": "{network} ၏ အဖြေ — {answers}",
        "no_picture_yet": "ပုံတစ်ပုံ ထည့်ပါ၊ သို့မဟုတ် အောက်ပါပုံများမှ ရွေးပါ။",
        "credit": "နမူနာပုံများသည် scikit-learn နှင့်အတူ ပါလာသည် — china.jpg နှင့် flower.jpg၊ CC BY 2.0၊ "
        "Flickr မှ danielbuechele နှင့် vultilion။",
        "nothing_yet": "သင်မေးသည့် အဖြေကို ဤနေရာတွင် ပြပါမည်။",
        "working": "လုပ်ဆောင်နေသည် — {total} အနက် {done}",
        "working_open": "လုပ်ဆောင်နေသည် — {done} ကြိမ်မြောက် စမ်းနေသည်",
        "tab_layers": "အလွှာများ",
        "layers_1": "အတန်းတစ်တန်းသည် အလွှာတစ်ခု ဖြစ်သည်။ ဝင်လာသည့်အရာကို ပြထားသည့် ပုံသဏ္ဌာန်သို့ "
        "အတန်းတွင် ပြထားသလောက်သော သင်ယူထားသည့် ကိန်းများဖြင့် ပြောင်းပေးသည်။",
        "layers_2": "အပေါ်မှ အောက်သို့ သွားလေ မြေပုံများ သေးလေ၊ အရေအတွက် များလေ ဖြစ်သည်။ ပထမ အနားစွန်းများ၊ "
        "ထို့နောက် အစိတ်အပိုင်းများ၊ နောက်ဆုံး အရာဝတ္ထုတစ်ခုလုံးကို မြင်သည်။",
        "layers_3": "Transfer learning တွင် ဤအရာအားလုံးကို ထိန်းထားပြီး နောက်ဆုံးအလွှာကိုသာ အသစ် သင်ပေးသည်။ "
        "အမျိုးအစားအမည်များကို ၎င်းကသာ သိသောကြောင့် ဖြစ်သည်။ ပုံများများ ရှိလျှင် နောက်ဆုံးအဆင့်များကိုပါ သင်ပေးပါ။",
        "depth": "မည်မျှ အသေးစိတ် ကြည့်မလဲ",
        "depth_1": "အကြမ်း",
        "depth_2": "ပိုစိတ်",
        "depth_3": "ပို၍ပိုစိတ်",
        "depth_all": "အလွှာအားလုံး",
        "column_layer": "အလွှာ",
        "column_kind": "အမျိုးအစား",
        "column_window": "Kernel / stride / padding",
        "column_sum": "ထွက်လာသည့် အရွယ်အစား တွက်ပုံ",
        "column_shape": "ချန်နယ် × အမြင့် × အကျယ်",
        "column_parameters": "ပါရာမီတာ",
        "column_work": "မြှောက်-ပေါင်း အကြိမ်",
        "table_caption": "{height}×{width} pixels ပုံတစ်ပုံအတွက် {network} ၏ အလွှာများ",
        "table_total": "စုစုပေါင်း",
        "saving": "Bottleneck က ချွေတာပုံ၊ {block} တွင် (ချန်နယ် {channels}) — အလေးချိန် {ours} ခုသာ လိုသည်။ "
        "ရိုးရိုး 3×3 အလွှာနှစ်ခုဆိုလျှင် {plain} ခု၊ {times} ဆ လိုမည်။",
        "blocks_alt": "{network} ၏ ဘလောက်များကို အဆင့်လိုက် ဆွဲထားသည့်ပုံ။ အကွေးများမှာ ဖြတ်လမ်းများ ဖြစ်သည်",
        "blocks": "{network} ၏ ဘလောက်များ။ အကွေးများမှာ ၎င်းတို့ကို ကျော်သည့် ဖြတ်လမ်းများ ဖြစ်သည်",
        "tab_maps": "Feature map များ",
        "maps_1": "အကွက်တစ်ကွက်သည် အလွှာ၏ filter တစ်ခု ဖြစ်သည်။ filter က ရှာနေသည့်အရာကို တွေ့သည့်နေရာတွင် လင်းသည်။",
        "maps_2": "Slider ကို ရွှေ့ကြည့်ပါ။ ရှေ့ဆုံးအလွှာများသည် ပုံကို ထိန်းထားပြီး အနားစွန်းနှင့် အရောင်များကို "
        "မြင်သည်။ နက်သောအလွှာများသည် ကြမ်းပြီး အစိတ်အပိုင်းများကို မြင်သည်။",
        "maps_3": "ရှေ့ပိုင်း filter များသည် ပုံတိုင်းလိုလိုအတွက် အသုံးဝင်သဖြင့် ပုံနည်းလျှင် ၎င်းတို့ကို မပြောင်းပါနှင့်။ "
        "သင့်ပုံများသည် ဓာတ်ပုံနှင့် အလွန်ကွာလျှင် နက်သောအလွှာများကိုပါ သင်ပေးရမည်။",
        "layer": "မည်မျှ နက်သလဲ — အလွှာနံပါတ်",
        "maps_title": "{network} ၏ အလွှာ {count} ခုအနက် {number} — {layer} ({kind})",
        "maps_shape": "{height}×{width} မြေပုံ {channels} ခု ရှိသည်။ အကွဲပြားဆုံး {shown} ခုကို ပြထားသည်။ "
        "အကွက်တိုင်းတွင် ကိုယ်ပိုင်စကေး ရှိသည်။",
        "maps_shape_all": "{height}×{width} မြေပုံ {channels} ခု။ အကွက်တိုင်းတွင် ကိုယ်ပိုင်စကေး ရှိသည်။",
        "maps_alt": "အလွှာ {layer} ၏ feature map {shown} ခု",
        "seen": "ကွန်ရက် မြင်ရသည့်ပုံ",
        "seen_alt": "သင့်ပုံထဲမှ ကွန်ရက်မြင်ရသည့် အပိုင်း",
        "tab_gradcam": "ဘယ်ကို ကြည့်သလဲ",
        "gradcam_1": "တောက်ပနေသည့်နေရာသည် အမျိုးအစားကို ထောက်ခံသည့်အရာကို ကွန်ရက်က တွေ့သည့်နေရာ ဖြစ်သည် (Grad-CAM)။",
        "gradcam_2": "အရာဝတ္ထု မဟုတ်ဘဲ နောက်ခံက တောက်ပနေလျှင် အဖြေမှန်နေသော်လည်း ကွန်ရက်က မှားယွင်းသည့်အရာကို "
        "သင်ယူထားခြင်း ဖြစ်သည်။",
        "gradcam_3": "သင့်အမျိုးအစားများကို သင်ပေးပြီးနောက် အဖြေမှန်နှင့် အဖြေမှား အချို့ကို ဤနေရာတွင် ကြည့်ပါ။ "
        "အရာဝတ္ထုကို မကြည့်လျှင် နောက်ခံမတူသည့် ပုံများ ထပ်စုပါ။",
        "gradcam_ask": "ဘယ်ကို ကြည့်သလဲ",
        "glow": "{label} — {before}။ အတောက်ပဆုံး ငါးပုံတစ်ပုံကို ဖုံးလျှင် {covered}",
        "glow_none": "{label} — {before}။ ပုံထဲတွင် ၎င်းကို ထောက်ခံသည့်အရာ မရှိပါ",
        "glow_alt": "အဖြူအမည်းပုံတွင် {label} ကို ထောက်ခံသည့်နေရာ တောက်ပနေသည်",
        "tab_ideal": "စံပြပုံ",
        "ideal_1": "ဤပုံသည် ကျပန်းအစက်များမှ စ၍ သင်ရွေးသည့် အမျိုးအစားဟု ကွန်ရက်က အယုံကြည်ဆုံးပုံ ဖြစ်လာသည်အထိ "
        "တစ်ဆင့်ချင်း ကြီးထွားလာသည်။",
        "ideal_2": "ထိုအမျိုးအစားအကြောင်း သင်ယူထားသည့် အရောင်၊ မျက်နှာပြင်နှင့် အစိတ်အပိုင်းများကို ပြသည်။ "
        "မကြာခဏ အထပ်ထပ် ပေါ်တတ်သည်။",
        "ideal_3": "အမျိုးအစားနှင့် မသက်ဆိုင်သည့်အရာ (လက်၊ မြက်ခင်း) ပေါ်လာလျှင် သင်ကြားသည့်ပုံများတွင် ၎င်း ပါလွန်းခြင်း "
        "ဖြစ်သည်။ မသင်ပေးမီ ၎င်းမပါသည့် ပုံများ စုပါ။",
        "class": "အမျိုးအစား",
        "steps": "တစ်ကျော့လျှင် အဆင့်အရေအတွက်",
        "seed": "ကျပန်းအစ၏ နံပါတ်",
        "ideal_ask": "ပုံကို ကြီးထွားစေပါ",
        "octave": "{count} ကျော့အနက် {number}",
        "octave_alt": "{label} ပုံ၊ {count} ကျော့အနက် {number} ပြီးချိန်",
        "ideal_holds": "{network} က နောက်ဆုံးပုံကို {label} ဟု {percent} ယုံကြည်သည်။ {all} ဘက်သို့ ရွှေ့ကြည့်သော်လည်း "
        "အဖြေ မပြောင်းပါ။",
        "ideal_fails": "မပြည့်မီသေးပါ — {network} က {label} ကို {percent} ပေးသည်။ ရွှေ့ကြည့်လျှင် {all} ကြိမ်တွင် {kept} "
        "ကြိမ်သာ အဖြေ ဖြစ်သည်။ အဆင့် ပိုယူပါ၊ သို့မဟုတ် အခြားနံပါတ်ဖြင့် စပါ။",
        "choose_class": "အမျိုးအစားကို အရင်ရွေးပါ။",
        "tab_fool": "လှည့်စားကြည့်ပါ",
        "fool_1": "pixel တိုင်းကို မမြင်သာသလောက် ပြောင်းလိုက်ရုံဖြင့် ကွန်ရက်က အခြားအဖြေ ပေးသည်။ အလယ်ပုံတွင် "
        "ပြောင်းလဲမှုကို {times} ဆ ချဲ့ပြထားသည်။",
        "fool_2": "Slider ကို 0 မှ တက်၍ ရွှေ့ပြီး မည်သည့်အားတွင် အဖြေ ပြောင်းသွားသည်ကို ကြည့်ပါ။",
        "fool_3": "ထို့ကြောင့် ဖြစ်နိုင်ခြေ မြင့်ခြင်းသည် အထောက်အထား မဟုတ်ပါ။ သင့်မော်ဒယ်ဖြင့် မဆုံးဖြတ်မီ သင်ကြားပုံများနှင့် "
        "မတူသည့် ပုံများဖြင့် တိုင်းတာပါ၊ မသေချာလျှင် မသေချာကြောင်း ပြောခွင့်ပေးပါ။",
        "target": "မည်သည့်အရာဟု ထင်စေလိုသလဲ",
        "target_any": "အခြားအရာတစ်ခုခု",
        "attack": "နည်းလမ်း",
        "attack_pgd": "အဆင့်ငယ်များစွာ (PGD)",
        "attack_fgsm": "တစ်ဆင့်တည်း (FGSM)",
        "fool_ask": "အသေးဆုံး ပြောင်းလဲမှုကို ရှာပါ",
        "strength": "အား — pixel ကို 255 ဆင့်အနက် အများဆုံး ပြောင်းသည့် အဆင့်",
        "fool_original": "မူရင်း — {label} {percent}",
        "fool_noise": "ပြောင်းလဲမှု × {times}၊ L2 {distance}",
        "fool_result": "ရလဒ် — {label} {percent}",
        "fool_original_alt": "မူရင်းပုံ",
        "fool_noise_alt": "ပြောင်းလဲမှုကိုသာ ချဲ့ပြထားသည်။ မီးခိုးရောင်မှာ မပြောင်းသည့်နေရာ ဖြစ်သည်",
        "fool_result_alt": "ပြောင်းလဲပြီး ပုံ။ မူရင်းနှင့် ခွဲမရသလောက် တူသည်",
        "fool_smallest": "{network} ကို လှည့်စားနိုင်သည့် အသေးဆုံး ပြောင်းလဲမှု — 255 ဆင့်အနက် {levels}။",
        "fool_none": "255 ဆင့်အနက် {levels} အထိ ပြောင်းသော်လည်း {network} ကို မလှည့်စားနိုင်ပါ။ အနီးစပ်ဆုံးကို ပြထားသည်။",
        "fool_now": "အား 255 ဆင့်အနက် {levels} တွင် {network} ၏ အဖြေမှာ {answer} ဖြစ်သည်။",
        "fool_now_same": "အား 255 ဆင့်အနက် {levels} တွင် {network} ၏ အဖြေမှာ {answer} အတိုင်း ရှိနေသေးသည်။",
        "tab_degrade": "ဖြတ်လမ်း ဘာကြောင့်လိုသလဲ",
        "degrade_1": "အမှတ်တစ်ခုသည် ထိုမျှသော အလွှာရှိသည့် ကွန်ရက်တစ်ခု ဖြစ်ပြီး အားလုံးကို တူညီစွာ သင်ကြားထားသည်။ "
        "နိမ့်လေ ကောင်းလေ ဖြစ်သည်။",
        "degrade_2": "ဖြတ်လမ်းမရှိလျှင် ပိုနက်သည့် ကွန်ရက်များသည် သင်ကြားသည့်ပုံများတွင်ပင် ပိုညံ့တတ်သည်။ ဖြတ်လမ်းရှိလျှင် ထိုသို့ မဖြစ်ပါ။",
        "degrade_3": "ထို့ကြောင့် ဖြတ်လမ်းပါသည့် နက်ရှိုင်းသော သင်ပြီးသား ကွန်ရက်မှ စနိုင်သည်။ အလွှာအရေအတွက်ကို သင့်တွင်ရှိသည့် "
        "အချိန်နှင့် မှတ်ဉာဏ်အလိုက် ရွေးပါ။",
        "degrade_title": "အလွှာအရေအတွက်အလိုက် သင်ကြားသည့်ပုံများတွင် အဖြေမှားနှုန်း",
        "degrade_from": "hf-resnet degrade ဖြင့် {source} ပေါ်တွင် တိုင်းတာထားသည် — {side}×{side} pixels သင်ကြားပုံ "
        "{pictures} ပုံ၊ {epochs} ကျော့။",
        "degrade_layers": "အလွှာ",
        "degrade_plain": "ဖြတ်လမ်းမရှိ",
        "degrade_residual_v1": "ဖြတ်လမ်းရှိ၊ v1",
        "degrade_residual_v2": "ဖြတ်လမ်းရှိ၊ v2",
        "degrade_point": "{kind}၊ အလွှာ {layers} ခု — {error} မှား",
        "degrade_plot_errors": "အလွှာအရေအတွက်အလိုက် သင်ကြားပုံနှင့် စမ်းသပ်ပုံများတွင် အမှားနှုန်း",
        "degrade_plot_gradients": "convolution တစ်ခုစီ၏ gradient အရွယ်အစား",
        "degrade_plot_shift": "အလွှာတစ်ခုစီ၏ ထွက်ကုန် တစ်ကျော့နှင့်တစ်ကျော့ မည်မျှရွေ့သည်",
    },
}


def say(language: str, key: str, **values: object) -> str:
    """The text of a key in a language, with its places filled; of the classifier's page where the lab
    has none of its own."""
    own = WORDS[language]
    return own[key].format(**values) if key in own else words.say(language, key, **values)
