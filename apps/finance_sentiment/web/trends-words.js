/* The words of the trends, the map and the sources. */

export const TREND_WORDS = {
  en: {
    influence: "{n}%", add: "Add", add_hint: "Name or id to compare", remove: "Remove {name}", bucket: "Bucket", bucket_auto: "auto", zoomed: "{from} – {to}", unzoom: "Back to the last {span}",
    volume: "Stories over time", share: "Share negative over time", key_all: "Stories", key_negative: "Negative", unknown: "There is no “{text}” among the names of this kind.",
    too_many: "Four series can be compared at once.", choose: "Choose what to look at: type a name above.", hint: "Click a bucket for its texts, drag to zoom. Keys: arrows move, Shift+arrows mark, Enter opens or zooms.",
    as_table: "Figures as a table", col_from: "From", texts_of: "{name}, {from} – {to}", no_texts: "No such text here.", latest: "Latest first", most_negative: "Most negative first", any_sentiment: "Any sentiment", order: "Order", sentiment: "Sentiment",
    say: "{at}: {rest}", sum: "{stories} stories, {share} negative", say_one: "{name} {stories} stories, {share} negative", stop: "Close", in_map: "Map", empty_span: "No text falls into this time.",
    b_60: "1 min", b_300: "5 min", b_900: "15 min", b_3600: "1 h", b_21600: "6 h", b_86400: "1 d",
  },
  zh: {
    influence: "{n}%", add: "添加", add_hint: "要比较的名称或代码", remove: "移除 {name}", bucket: "时间粒度", bucket_auto: "自动", zoomed: "{from} – {to}", unzoom: "返回最近 {span}",
    volume: "事件数走势", share: "负面占比走势", key_all: "事件", key_negative: "负面", unknown: "此类名称中没有“{text}”。",
    too_many: "最多同时比较四个序列。", choose: "请在上方输入名称以选择要查看的对象。", hint: "点击柱体查看文本，拖动可放大。快捷键：方向键移动，Shift+方向键选择区间，Enter 打开或放大。",
    as_table: "以表格显示数据", col_from: "起始时间", texts_of: "{name}，{from} – {to}", no_texts: "此处没有符合条件的文本。", latest: "最新在前", most_negative: "最负面在前", any_sentiment: "不限情绪", order: "排序", sentiment: "情绪",
    say: "{at}：{rest}", sum: "{stories} 个事件，负面 {share}", say_one: "{name} {stories} 个事件，负面 {share}", stop: "关闭", in_map: "热力图", empty_span: "这段时间内没有文本。",
    b_60: "1 分钟", b_300: "5 分钟", b_900: "15 分钟", b_3600: "1 小时", b_21600: "6 小时", b_86400: "1 天",
  },
};

export const MAP_WORDS = {
  en: {
    col_name: "Name", col_change: "Change", change_hint: "Share negative, in points, against the same time before", sort_stories: "Most stories", sort_share_negative: "Most negative", sort_change: "Risen most", sort: "Order",
    kinds: "Kind", over_time: "{n} buckets of {length}", empty: "No text falls into this time.", shown: "{n} of {all}", legend: "Share negative:", few: "no stories", cell: "{name}, {at}: {stories} stories, {negative} negative",
    map_hint: "Number: stories. Colour: share negative. A cell leads to its texts. Keys: Tab to a row, then arrows.",
  },
  zh: {
    col_name: "名称", col_change: "变化", change_hint: "负面占比相对前一等长时段的变化（百分点）", sort_stories: "事件最多", sort_share_negative: "负面占比最高", sort_change: "升幅最大", sort: "排序",
    kinds: "类别", over_time: "{n} 格，每格 {length}", empty: "这段时间内没有文本。", shown: "{n} / {all}", legend: "负面占比：", few: "无事件", cell: "{name}，{at}：{stories} 个事件，{negative} 个负面",
    map_hint: "数字为事件数，颜色为负面占比，点击单元格查看文本。快捷键：Tab 到某一行，再用方向键。",
  },
};

export const SOURCE_WORDS = {
  en: {
    col_source: "Source", col_health: "Health", col_success: "Last success", col_new: "Last new text", col_next: "Next try", col_texts: "Texts", col_acts: "Acts",
    health_ok: "OK", health_late: "Late", health_failing: "Failing", health_never: "Not tried yet", health_off: "Paused", failures: "{n} failures in a row",
    poll: "Poll now", pause: "Pause", resume: "Resume", remove: "Remove", remove_sure: "Really remove?", polling: "Polling…", polled: "{name}: {found} found, {new} new", paused: "{name} is paused.", resumed: "{name} runs again.", removed: "{name} was removed; its texts stay.",
    add_source: "Add a source", name: "Name", name_hint: "Letters, digits, . _ -", kind: "Kind", kind_feed: "Feed (RSS or Atom)", kind_folder: "Folder of files", location: "Address", location_folder: "Folder", interval: "Every … seconds", add: "Add", added: "{name} was added.",
    none: "No sources yet.", none_lead: "Add a feed or a folder here, or send texts to POST /finance/texts.", due_now: "due", in_time: "in {time}", ago: "{time} ago", problems: "{n} problems",
  },
  zh: {
    col_source: "来源", col_health: "状况", col_success: "上次成功", col_new: "上次新文本", col_next: "下次尝试", col_texts: "文本数", col_acts: "操作",
    health_ok: "正常", health_late: "延迟", health_failing: "失败", health_never: "尚未尝试", health_off: "已暂停", failures: "连续失败 {n} 次",
    poll: "立即抓取", pause: "暂停", resume: "恢复", remove: "移除", remove_sure: "确定移除？", polling: "正在抓取……", polled: "{name}：找到 {found} 条，新增 {new} 条", paused: "{name} 已暂停。", resumed: "{name} 已恢复。", removed: "{name} 已移除，其文本保留。",
    add_source: "添加来源", name: "名称", name_hint: "字母、数字、. _ -", kind: "类型", kind_feed: "订阅源（RSS 或 Atom）", kind_folder: "文件夹", location: "地址", location_folder: "文件夹路径", interval: "间隔秒数", add: "添加", added: "已添加 {name}。",
    none: "尚无来源。", none_lead: "在此添加订阅源或文件夹，或通过 POST /finance/texts 发送文本。", due_now: "即将", in_time: "{time}后", ago: "{time}前", problems: "{n} 个问题",
  },
};
